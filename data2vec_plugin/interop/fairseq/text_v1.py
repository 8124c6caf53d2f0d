"""The state-dict layout of upstream's v1 text model, in both directions.

Upstream's model holds an encoder that holds the Transformer, the head and the teacher. Ours names them directly.
"""

from __future__ import annotations

import re
from typing import Any, List, Mapping, MutableMapping, Tuple

import torch

ENCODER, HEAD, TEACHER = "encoder.sentence_encoder.", "encoder.regression_head.", "encoder._ema"
VERSION = "version"
"""A buffer of fairseq's Transformer that says how old a checkpoint is; stock ``roberta`` requires it."""

OLD_NAMES = (
    (".emb_layer_norm.", ".layernorm_embedding."),
    (".self_attn.layer_norms.0.", ".self_attn_layer_norm."),
    (".layer_norms.0.", ".self_attn_layer_norm."),
    (".layer_norms.1.", ".final_layer_norm."),
)
NOT_OURS = ("encoder.lm_head.", "encoder.emb_head.", "encoder.target_model.")
"""Heads of other objectives, as RoBERTa's, and an old name of the teacher."""

FAST_PATH = re.compile(r"encoder\.sentence_encoder\.layers\.\d+\.(in_proj|out_proj|fc1|fc2)_(weight|bias)")
"""Copies of a layer's weights that fairseq 0.12.2 keeps for inference and does not train."""


def to_upstream(state: MutableMapping[str, Any], prefix: str = "") -> None:
    """Rename, in place, the entries of ``state`` below ``prefix`` to upstream's layout. Idempotent."""
    for key in _below(state, prefix):
        name = key[len(prefix) :]
        if name.startswith("encoder.") and not name.startswith((ENCODER, HEAD, TEACHER)):
            state[prefix + ENCODER + name[len("encoder.") :]] = state.pop(key)
        elif name.startswith("final_proj."):
            state[prefix + HEAD + name[len("final_proj.") :]] = state.pop(key)
    if any(key.startswith(prefix + ENCODER) for key in state):
        state[prefix + ENCODER + VERSION] = torch.tensor([3.0])


def from_upstream(state: MutableMapping[str, Any], prefix: str = "") -> None:
    """The reverse of :func:`to_upstream`, for old and new checkpoints; drops heads of other objectives. Idempotent."""
    for key in _below(state, prefix):
        name = _current_name(key[len(prefix) :])
        value = state.pop(key)
        if not (name.startswith(NOT_OURS) or name == ENCODER + VERSION or FAST_PATH.fullmatch(name)):
            state[prefix + _our_name(name)] = value


def teacher_to_upstream(state: MutableMapping[str, Any]) -> None:
    """Nothing to do: the teacher is only the encoder, whose names are the same."""


def teacher_from_upstream(state: MutableMapping[str, Any]) -> None:
    """Nothing to do: upstream's additional entry, a version number, is ignored."""


def vocabulary_size(state: Mapping[str, Any]) -> int:
    """Return the size of the dictionary that a checkpoint's weights were trained with; 0 if it is not of text."""
    rows = [len(value) for name, value in state.items() if name.endswith("embed_tokens.weight")]
    return rows[0] if rows else 0


def _current_name(name: str) -> str:
    if name.startswith("decoder."):
        name = "encoder." + name[len("decoder.") :]
    for old, new in OLD_NAMES:
        name = name.replace(old, new)
    return name


def _our_name(name: str) -> str:
    renames: Tuple[Tuple[str, str], ...] = ((ENCODER, "encoder."), (HEAD, "final_proj."), (TEACHER, "_ema"))
    for theirs, ours in renames:
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return name


def _below(state: MutableMapping[str, Any], prefix: str) -> List[str]:
    return [key for key in state if key.startswith(prefix)]
