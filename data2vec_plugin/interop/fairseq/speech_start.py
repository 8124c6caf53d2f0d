"""Start a data2vec student from the weights of wav2vec 2.0 or HuBERT.

Their extractor, projection, position convolution, mask embedding and Transformer have the names of upstream's
data2vec; modules of their own objectives are left out.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, NamedTuple

import torch
from torch import Tensor

from ..mismatch import explain, shapes

LEFT = {
    "wav2vec2": ("quantizer.", "project_q.", "target_glu.", "final_proj."),
    "hubert": ("label_embs_concat", "target_glu.", "final_proj."),
}
"""Prefixes of the weights that are left out, by model. A quantiser of the input is not among them."""

SETTINGS = (
    *("extractor_mode", "conv_feature_layers", "conv_bias", "layer_type", "layer_norm_first", "activation_fn"),
    *("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads"),
    *("conv_pos", "conv_pos_groups", "pos_conv_depth"),
)
"""Keys of both models that must be equal, or the same weights would compute something else."""

HEAD, PROJECTION = "final_proj.", "post_extract_proj."


class Start(NamedTuple):
    """A student's first state, the modules that were left out, and those that are new."""

    state: Dict[str, Any]
    left: List[str]
    new: List[str]


def student_start(name: str, weights: Mapping[str, Any], own: Mapping[str, Any]) -> Start:
    """Return the state that a student starts with; ``own`` is its state so far, in upstream's layout.

    Our model always projects the extractor's channels, theirs only to another width: a missing projection becomes the
    identity. The head that predicts targets stays the student's. Raises ValueError for weights of another size.
    """
    given = {key: value for key, value in weights.items() if not key.startswith(LEFT[name])}
    projection = own[PROJECTION + "weight"]
    added = {}
    if PROJECTION + "weight" not in given and projection.size(0) == projection.size(1):
        added = {PROJECTION + "weight": torch.eye(len(projection)), PROJECTION + "bias": torch.zeros(len(projection))}
    taken = {**given, **added}
    head = {key: value for key, value in own.items() if key.startswith(HEAD)}
    wanted = {key: value for key, value in own.items() if isinstance(value, Tensor) and key not in head}
    if reason := explain(shapes(taken), shapes(wanted)):
        raise ValueError(f"its weights do not match: {reason}")
    return Start({**taken, **head}, modules(weights.keys() - given.keys()), modules({**head, **added}))


def modules(names: Any) -> List[str]:
    """Return the top-level modules of parameters, by name."""
    return sorted({name.partition(".")[0] for name in names})
