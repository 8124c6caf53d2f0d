"""``data2vec_vision`` as Hugging Face's ``Data2VecVision``: names, weights and configuration, in both directions.

Both are BEiT: a class token before the patches, pre-norm, layer scale, keys without bias, tables of relative positions
with the same rows. Their base model ends with a norm if it does not pool; a classifier normalises the mean of the
patches, as ours does.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence

import torch
from torch import Tensor

from .keys import but_for, refuse_beyond
from .rules import Rule, below, renamed, reverse, weight_and_bias

MODEL_TYPE = "data2vec-vision"
PREFIX = "data2vec_vision."
ARCHITECTURES = {"base": "Data2VecVisionModel", "classification": "Data2VecVisionForImageClassification"}
OTHER_HEADS: Sequence[str] = ()

MASK = "embeddings.mask_token"
TABLE = "relative_position_bias.relative_position_bias_table"

ENCODER: List[Rule] = [
    ("extra_tokens", "embeddings.cls_token"),
    ("encoder.rel_pos_bias.table", f"encoder.{TABLE}"),
    ("encoder.layers.{}.rel_pos_bias.table", f"encoder.layer.{{}}.attention.attention.{TABLE}"),
    ("encoder.layers.{}.gamma_1", "encoder.layer.{}.lambda_1"),
    ("encoder.layers.{}.gamma_2", "encoder.layer.{}.lambda_2"),
    ("encoder.layers.{}.self_attn.k_proj.weight", "encoder.layer.{}.attention.attention.key.weight"),
    *weight_and_bias(
        ("patch_embed.conv", "embeddings.patch_embeddings.projection"),
        ("encoder.layers.{}.self_attn.q_proj", "encoder.layer.{}.attention.attention.query"),
        ("encoder.layers.{}.self_attn.v_proj", "encoder.layer.{}.attention.attention.value"),
        ("encoder.layers.{}.self_attn.out_proj", "encoder.layer.{}.attention.output.dense"),
        ("encoder.layers.{}.self_attn_layer_norm", "encoder.layer.{}.layernorm_before"),
        ("encoder.layers.{}.final_layer_norm", "encoder.layer.{}.layernorm_after"),
        ("encoder.layers.{}.fc1", "encoder.layer.{}.intermediate.dense"),
        ("encoder.layers.{}.fc2", "encoder.layer.{}.output.dense"),
    ),
]
PRETRAINED: List[Rule] = [
    ("mask_emb", MASK),
    *weight_and_bias(("encoder.layer_norm", "layernorm")),
]
CLASSIFIER: List[Rule] = weight_and_bias(
    ("head.fc_norm", f"{PREFIX}pooler.layernorm"),
    ("head.head", "classifier"),
)
RULES: Dict[str, List[Rule]] = {
    "base": [*ENCODER, *PRETRAINED],
    "classification": [*below(PREFIX, ENCODER), *CLASSIFIER],
}

NOT_THEIRS = ("final_proj.weight", "final_proj.bias")
"""The head of pre-training, which regresses the teacher."""

INDEX = "relative_position_bias.relative_position_index"
INDICES = (f"encoder.{INDEX}", f"encoder.layer.{{}}.attention.attention.{INDEX}")
"""Which row of a table belongs to which pair of patches: older versions saved it, though it follows from the sizes."""
NOT_OURS: Dict[str, Sequence[str]] = {
    "base": (*INDICES, "pooler.layernorm.weight", "pooler.layernorm.bias"),
    "classification": [PREFIX + name for name in (*INDICES, MASK)],
}
"""In addition: a base model's pooler, which belongs to a classifier; a classifier's mask token, which is not used."""

SAME_VALUE: Sequence[Rule] = (
    ("embed_dim", "hidden_size"),
    ("depth", "num_hidden_layers"),
    ("num_heads", "num_attention_heads"),
    ("attention_dropout", "attention_probs_dropout_prob"),
    ("drop_path", "drop_path_rate"),
    ("norm_eps", "layer_norm_eps"),
    ("layer_scale_init_value", "layer_scale_init_value"),
    ("image_size", "image_size"),
    ("patch_size", "patch_size"),
    ("in_channels", "num_channels"),
)
"""Our keys and theirs with the same meaning."""
THEIRS: Dict[str, Any] = {
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.0,
    "use_absolute_position_embeddings": False,
}
"""Hugging Face keys for which this plugin supports one value only."""
OUR_DEFAULTS: Dict[str, Any] = {"norm_eps": 1e-5, "rel_pos_bias": True}
"""The values of absent keys that upstream does not have."""
DEFAULTS: Dict[str, Any] = {
    **THEIRS,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "attention_probs_dropout_prob": 0.0,
    "drop_path_rate": 0.1,
    "layer_norm_eps": 1e-12,
    "layer_scale_init_value": 0.1,
    "image_size": 224,
    "patch_size": 16,
    "num_channels": 3,
    "use_mean_pooling": True,
    "use_relative_position_bias": False,
    "use_shared_relative_position_bias": False,
}
"""The values of absent Hugging Face keys."""
TOP_K = 8
"""Default number of layers averaged for a target; at most the number of layers."""


def weights_to_hf(state: Mapping[str, Tensor], kind: str) -> Dict[str, Tensor]:
    """Rename our weights, the head's below ``head.``, to theirs."""
    return renamed(_shaped(state, {"mask_emb": (1, 1, -1)}), RULES[kind], dropped=NOT_THEIRS)


def weights_from_hf(state: Mapping[str, Tensor], kind: str) -> Dict[str, Tensor]:
    """The reverse; a base model without a final norm, because it pools, gets an untrained one."""
    weights = _shaped(renamed(state, reverse(RULES[kind]), dropped=NOT_OURS[kind]), {"mask_emb": (-1,)})
    if kind == "base" and "patch_embed.conv.bias" in weights:
        weights.setdefault("encoder.layer_norm.weight", torch.ones_like(weights["patch_embed.conv.bias"]))
        weights.setdefault("encoder.layer_norm.bias", torch.zeros_like(weights["patch_embed.conv.bias"]))
    return weights


def _shaped(state: Mapping[str, Tensor], shapes: Mapping[str, Sequence[int]]) -> Dict[str, Tensor]:
    return {name: value.reshape(*shapes[name]) if name in shapes else value for name, value in state.items()}


def config_to_hf(model: Mapping[str, Any], kind: str) -> Dict[str, Any]:
    """Convert a complete configuration of ``data2vec_vision`` to theirs."""
    tables, shared = model["rel_pos_bias"], model["shared_rel_pos_bias"]
    return {
        **{theirs: model[ours] for ours, theirs in SAME_VALUE},
        **THEIRS,
        "intermediate_size": model["mlp_ratio"] * model["embed_dim"],
        "use_mask_token": kind == "base",
        "use_mean_pooling": kind == "classification",
        "use_relative_position_bias": tables and not shared,
        "use_shared_relative_position_bias": tables and shared,
    }


def config_from_hf(hf: Mapping[str, Any], kind: str) -> Dict[str, Any]:
    """Convert their configuration, where keys may be absent, to ours; raises ValueError if ours cannot express it."""
    hf = {**DEFAULTS, **hf}
    refuse_beyond(THEIRS, hf, "`data2vec_vision`")
    if kind == "classification":
        refuse_beyond({"use_mean_pooling": True}, hf, "`data2vec_image_classification`")
    dim, width = hf["hidden_size"], hf["intermediate_size"]
    if width % dim:
        raise ValueError(
            f"`intermediate_size` is {width}; `data2vec_vision` supports only multiples of `hidden_size` {dim}"
        )
    shared, each = hf["use_shared_relative_position_bias"], hf["use_relative_position_bias"]
    if shared and each:
        raise ValueError(
            "`use_shared_relative_position_bias` and `use_relative_position_bias` are both true; `data2vec_vision` has "
            "one table for all layers, or one for each"
        )
    values = {
        "_name": "data2vec_vision",
        **{ours: hf[theirs] for ours, theirs in SAME_VALUE},
        "image_size": _side(hf, "image_size"),
        "patch_size": _side(hf, "patch_size"),
        "mlp_ratio": width // dim,
        "rel_pos_bias": shared or each,
        "shared_rel_pos_bias": shared or not each,
        "average_top_k_layers": min(TOP_K, hf["num_hidden_layers"]),
        "ema_anneal_end_step": 1,  # follows the run in which the model is trained
    }
    return but_for(OUR_DEFAULTS, values)


def _side(hf: Mapping[str, Any], key: str) -> int:
    """Return the side of a square, which they also write as a pair; raises ValueError if its sides differ."""
    value = hf[key]
    sides = list(value) if isinstance(value, (list, tuple)) else [value, value]
    if len(set(sides)) != 1:
        raise ValueError(f"`{key}` is {sides}; `data2vec_vision` supports square images only")
    return int(sides[0])
