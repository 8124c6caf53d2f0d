"""The state-dict layout of upstream's v1 image model, in both directions, and of BEiT, only to ours.

Upstream's has one matrix for queries, keys and values, without a bias of keys, and saves which row of a table of
relative positions belongs to which pair of patches, although this follows from the size of the table.
"""

from __future__ import annotations

from typing import Any, MutableMapping, Tuple

import torch

from ...core.positions.relative_positions import pair_index, square_grid
from ..layout import Names, below, swapped

TEACHER = "_ema"

MODEL: Names = (("cls_emb", "extra_tokens"),)
ENCODER: Names = (
    ("norm.", "layer_norm."),
    ("rel_pos_bias.relative_position_bias_table", "rel_pos_bias.table"),
)
BLOCK: Names = (
    ("norm1.", "self_attn_layer_norm."),
    ("norm2.", "final_layer_norm."),
    ("attn.proj.", "self_attn.out_proj."),
    ("attn.q_bias", "self_attn.q_proj.bias"),
    ("attn.v_bias", "self_attn.v_proj.bias"),
    ("attn.relative_position_bias_table", "rel_pos_bias.table"),
    ("mlp.0.", "fc1."),
    ("mlp.2.", "fc2."),
)
BEIT: Names = (
    ("cls_token", "cls_emb"),
    ("mask_token", "mask_emb"),
    ("patch_embed.proj.", "patch_embed.conv."),
    ("lm_head.", "final_proj."),
    ("blocks.", "encoder.blocks."),
    ("norm.", "encoder.norm."),
    ("rel_pos_bias.", "encoder.rel_pos_bias."),
)
BEIT_MLP: Names = ((".mlp.fc1.", ".mlp.0."), (".mlp.fc2.", ".mlp.2."))
QKV = "attn.qkv.weight"
PROJECTIONS = tuple(f"self_attn.{name}_proj.weight" for name in "qkv")
TABLE, INDEX = "relative_position_bias_table", "relative_position_index"


def to_upstream(state: MutableMapping[str, Any], prefix: str = "") -> None:
    """Convert, in place, the entries of ``state`` below ``prefix`` to upstream's layout. Idempotent."""
    _encoder_to_upstream(state, prefix + "encoder.")
    for name, rest in below(state, prefix):
        _rename(state, name, prefix + swapped(rest, MODEL, 1))
    if (mask := state.get(prefix + "mask_emb")) is not None:
        state[prefix + "mask_emb"] = mask.reshape(1, 1, -1)


def from_upstream(state: MutableMapping[str, Any], prefix: str = "") -> None:
    """The reverse of :func:`to_upstream`, also of BEiT's own names. Idempotent."""
    _from_beit(state, prefix)
    _from_upstream(state, prefix)


def teacher_to_upstream(state: MutableMapping[str, Any]) -> None:
    """As :func:`to_upstream` for the teacher's entries, whose names start inside the encoder unless all is copied."""
    _encoder_to_upstream(state, "")
    to_upstream(state)


def teacher_from_upstream(state: MutableMapping[str, Any]) -> None:
    """The reverse of :func:`teacher_to_upstream`."""
    _encoder_from_upstream(state, "")
    _from_upstream(state, "")


def _from_upstream(state: MutableMapping[str, Any], prefix: str) -> None:
    _encoder_from_upstream(state, prefix + "encoder.")
    for name, rest in below(state, prefix):
        _rename(state, name, prefix + swapped(rest, MODEL))
    if (mask := state.get(prefix + "mask_emb")) is not None:
        state[prefix + "mask_emb"] = mask.reshape(-1)


def _encoder_to_upstream(state: MutableMapping[str, Any], prefix: str) -> None:
    for name, rest in below(state, prefix):
        layer, inner = _layer(rest, "layers.")
        if layer and inner == PROJECTIONS[0]:
            parts = [state.pop(f"{prefix}layers.{layer}.{projection}") for projection in PROJECTIONS]
            state[f"{prefix}blocks.{layer}.{QKV}"] = torch.cat(parts)
        elif layer and inner not in PROJECTIONS:
            _rename(state, name, f"{prefix}blocks.{layer}.{swapped(inner, BLOCK, 1)}")
        elif not layer:
            _rename(state, name, prefix + swapped(rest, ENCODER, 1))
    for name, _ in below(state, prefix):
        if name.endswith(TABLE):
            table = state[name]
            state[name[: -len(TABLE)] + INDEX] = pair_index(square_grid(len(table))).to(table.device)


def _encoder_from_upstream(state: MutableMapping[str, Any], prefix: str) -> None:
    for name, rest in below(state, prefix):
        layer, inner = _layer(rest, "blocks.")
        if rest.endswith(INDEX):
            del state[name]
        elif layer and inner == QKV:
            for projection, part in zip(PROJECTIONS, state.pop(name).chunk(3)):
                state[f"{prefix}layers.{layer}.{projection}"] = part
        elif layer:
            _rename(state, name, f"{prefix}layers.{layer}.{swapped(inner, BLOCK)}")
        else:
            _rename(state, name, prefix + swapped(rest, ENCODER))


def _from_beit(state: MutableMapping[str, Any], prefix: str) -> None:
    """Rename BEiT's weights to upstream's names; BEiT has its blocks directly in the model."""
    for name, rest in below(state, prefix):
        new = swapped(rest, BEIT)
        for theirs, ours in BEIT_MLP if new.startswith("encoder.blocks.") else ():
            new = new.replace(theirs, ours)
        _rename(state, name, prefix + new)


def _layer(name: str, start: str) -> Tuple[str, str]:
    """``layers.3.fc1.weight`` -> ("3", "fc1.weight"); two empty strings if the name does not begin with ``start``."""
    number, dot, inner = name[len(start) :].partition(".")
    return (number, inner) if name.startswith(start) and dot else ("", "")


def _rename(state: MutableMapping[str, Any], old: str, new: str) -> None:
    if old != new:
        state[new] = state.pop(old)
