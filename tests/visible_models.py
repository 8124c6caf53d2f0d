"""Small models of data2vec 2.0 for tests, one for each modality, and inputs for them."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import torch
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf
from torch import Tensor

from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.masks.masking import row_generator
from data2vec_plugin.core.model import Data2Vec
from data2vec_plugin.models.multi.data2vec_multi import Data2VecMultiModel
from data2vec_plugin.models.multi.multi_config import Data2VecMultiConfig

DIM, DEPTH, COPIES = 32, 2, 3
QUIET = ("encoder_dropout", "post_mlp_drop", "attention_dropout")
DECODER = {"decoder_dim": 32, "decoder_groups": 4, "decoder_kernel": 3, "decoder_layers": 2, "input_dropout": 0.0}
OWN: Dict[str, Dict[str, Any]] = {
    "AUDIO": {
        "feature_encoder_spec": "[(16, 10, 5), (16, 3, 2), (16, 2, 2)]",
        "conv_pos_depth": 2,
        "conv_pos_width": 10,
        "conv_pos_groups": 4,
        "use_alibi_encoder": True,
        "learned_alibi_scale": True,
        "learned_alibi_scale_per_head": True,
        "mask_prob": 0.5,
        "mask_length": 3,
        "prenet_depth": 1,
    },
    "IMAGE": {
        "input_size": 32,
        "patch_size": 8,
        "embed_dim": DIM,
        "num_extra_tokens": 1,
        "inverse_mask": True,
        "mask_prob": 0.7,
        "mask_length": 2,
        "ema_local_encoder": True,
        "prenet_depth": 1,
    },
    "TEXT": {"mask_prob": 0.5, "mask_length": 1, "prenet_depth": 0, "dropout": 0.0, "max_source_positions": 64},
}


class Symbols:
    """A dictionary of 20 symbols."""

    def __len__(self) -> int:
        return 20

    def pad(self) -> int:
        return 1


class TextTask:
    """All that a model asks of a task of text."""

    source_dictionary = Symbols()


def visible_model(modality: str, own: Optional[Dict[str, Any]] = None, **keys: Any) -> Data2VecMultiModel:
    """A model in training mode in which nothing is dropped."""
    settings = {
        "supported_modality": modality,
        "embed_dim": DIM,
        "num_heads": 4,
        "depth": DEPTH,
        "average_top_k_layers": DEPTH,
        "instance_norm_target_layer": True,
        "ema_encoder_only": False,
        "clone_batch": COPIES,
        "max_update": 100,
        "ema_anneal_end_step": 10,
        "seed": 1,
        "modalities": {
            modality.lower(): {
                **OWN[modality],
                "decoder": DECODER,
                "num_alibi_heads": 4,
                "model_depth": DEPTH,
                **(own or {}),
            }
        },
        **dict.fromkeys(QUIET, 0.0),
        **keys,
    }
    torch.manual_seed(0)
    cfg = merge_with_parent(Data2VecMultiConfig(), OmegaConf.create(settings))
    model = Data2VecMultiModel.build_model(cfg, TextTask())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    model.train()
    model.set_num_updates(0)
    return model


def source_of(modality: str, rows: int = 2, length: int = 40) -> Tensor:
    """Raw input; ``length`` is that of clips in frames, or of texts in tokens."""
    generator = torch.Generator().manual_seed(3)
    if modality == "AUDIO":
        return torch.randn(rows, 20 * length + 25, generator=generator)
    if modality == "IMAGE":
        return torch.randn(rows, 3, 32, 32, generator=generator)
    return torch.randint(4, 20, (rows, length), generator=generator)


def method_of(model: Data2VecMultiModel) -> Data2Vec:
    """The method of the only modality."""
    method: Data2Vec = model.method.of(model.mode_name(None))  # type: ignore[union-attr, operator]
    return method


def batch_of(
    model: Data2VecMultiModel, source: Tensor, padding_mask: Optional[Tensor] = None
) -> Tuple[Dict[str, Any], Mask]:
    """What a loader brings: ``net_input``, and its mask."""
    method = method_of(model)
    with torch.no_grad():
        tokens = method.encoder.embed(source, padding_mask)
    sizes = tokens.sizes()
    rngs = [row_generator(1, 1, row, copy) for row in range(len(sizes)) for copy in range(method.config.copies)]
    mask = method.masks.draw(sizes, rngs, tokens.x.size(1))
    return {"source": source, "padding_mask": padding_mask, "mask": mask.as_dict()}, mask
