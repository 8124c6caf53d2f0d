"""Upstream's layout of the image model and ours, and BEiT's: every key maps, under any prefix, again and again."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from models.tiny_vision import LAYERS, tiny_vision
from torch import Tensor

from data2vec_plugin.convert.weights import plain_state
from data2vec_plugin.interop.fairseq.vision_v1 import (
    from_upstream,
    to_upstream,
)

PAIRS = {
    "cls_emb": "extra_tokens",
    "patch_embed.conv.weight": "patch_embed.conv.weight",
    "final_proj.bias": "final_proj.bias",
    "encoder.norm.weight": "encoder.layer_norm.weight",
    "encoder.blocks.10.gamma_1": "encoder.layers.10.gamma_1",
    "encoder.blocks.1.norm1.bias": "encoder.layers.1.self_attn_layer_norm.bias",
    "encoder.blocks.1.norm2.bias": "encoder.layers.1.final_layer_norm.bias",
    "encoder.blocks.1.attn.proj.weight": "encoder.layers.1.self_attn.out_proj.weight",
    "encoder.blocks.1.attn.q_bias": "encoder.layers.1.self_attn.q_proj.bias",
    "encoder.blocks.1.attn.v_bias": "encoder.layers.1.self_attn.v_proj.bias",
    "encoder.blocks.1.mlp.0.bias": "encoder.layers.1.fc1.bias",
    "encoder.blocks.1.mlp.2.weight": "encoder.layers.1.fc2.weight",
    "_ema": "_ema",
}
BEIT = {
    "cls_token": "extra_tokens",
    "patch_embed.proj.bias": "patch_embed.conv.bias",
    "lm_head.weight": "final_proj.weight",
    "norm.bias": "encoder.layer_norm.bias",
    "rel_pos_bias.relative_position_bias_table": "encoder.rel_pos_bias.table",
    "blocks.2.mlp.fc1.weight": "encoder.layers.2.fc1.weight",
    "blocks.2.mlp.fc2.bias": "encoder.layers.2.fc2.bias",
    "blocks.2.attn.proj.bias": "encoder.layers.2.self_attn.out_proj.bias",
    "blocks.2.attn.relative_position_bias_table": "encoder.layers.2.rel_pos_bias.table",
}
TABLES = {
    "encoder.rel_pos_bias.relative_position_bias_table": "encoder.rel_pos_bias.table",
    "encoder.blocks.1.attn.relative_position_bias_table": "encoder.layers.1.rel_pos_bias.table",
}
PREFIXES = ["", "model."]
KINDS: Dict[str, Dict[str, Any]] = {
    "shared": {},
    "layers": {"shared_rel_pos_bias": False},
    "none": {"rel_pos_bias": False, "layer_scale_init_value": 0.0},
}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("theirs", "ours"), [*PAIRS.items(), *BEIT.items()])
def test_single_names(prefix: str, theirs: str, ours: str) -> None:
    state: Dict[str, Any] = {prefix + theirs: 1}
    for _ in range(2):
        from_upstream(state, prefix)
        assert state == {prefix + ours: 1}
    if theirs in PAIRS:
        for _ in range(2):
            to_upstream(state, prefix)
            assert state == {prefix + theirs: 1}


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("theirs", "ours"), TABLES.items())
def test_a_table_is_written_with_the_index_that_follows_from_it(prefix: str, theirs: str, ours: str) -> None:
    table, index = torch.zeros(84, 4), prefix + theirs.replace("bias_table", "index")
    state: Dict[str, Any] = {prefix + ours: table}
    to_upstream(state, prefix)
    assert set(state) == {prefix + theirs, index}
    assert state[index].shape == (26, 26)
    from_upstream(state, prefix)
    assert state == {prefix + ours: table}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_queries_keys_and_values_are_one_matrix_in_this_order(prefix: str) -> None:
    parts = {f"{prefix}encoder.layers.0.self_attn.{name}_proj.weight": torch.randn(4, 4) for name in "qkv"}
    state: Dict[str, Any] = dict(parts)
    to_upstream(state, prefix)
    assert set(state) == {f"{prefix}encoder.blocks.0.attn.qkv.weight"}
    assert torch.equal(next(iter(state.values())), torch.cat(list(parts.values())))
    from_upstream(state, prefix)
    assert {name: value.tolist() for name, value in state.items()} == {n: v.tolist() for n, v in parts.items()}


def test_mask_embedding_has_its_shape_on_either_side() -> None:
    state = {"mask_emb": torch.arange(3.0)}
    for _ in range(2):
        to_upstream(state)
        assert state["mask_emb"].shape == (1, 1, 3)
    for _ in range(2):
        from_upstream(state)
        assert state["mask_emb"].tolist() == [0, 1, 2]
    beit = {"mask_token": torch.zeros(1, 1, 3)}
    from_upstream(beit)
    assert beit["mask_emb"].shape == (3,)


def assert_equal(left: Dict[str, Any], right: Dict[str, Any]) -> None:
    assert left.keys() == right.keys()
    for key, value in left.items():
        assert torch.equal(value, right[key]), key


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_renaming_is_reversible_idempotent_and_keeps_to_its_prefix(prefix: str, kind: str) -> None:
    plain: Dict[str, Tensor] = plain_state(tiny_vision(**KINDS[kind]))
    ours = {prefix + name: value for name, value in plain.items()}
    other = {"elsewhere.encoder.layers.0.fc1.weight": torch.zeros(1)} if prefix else {}
    state: Dict[str, Any] = {**ours, **other}
    to_upstream(state, prefix)
    assert not [name for name in state if name.startswith(prefix + "encoder.layers.")]
    once = dict(state)
    to_upstream(state, prefix)
    assert_equal(state, once)
    from_upstream(state, prefix)
    assert_equal(state, {**ours, **other})
    from_upstream(state, prefix)
    assert_equal(state, {**ours, **other})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("whole", [False, True], ids=["encoder", "model"])
def test_a_teachers_names_begin_where_it_does(kind: str, whole: bool) -> None:
    model = tiny_vision(ema_transformer_only=not whole, **KINDS[kind])
    ours = dict(model.method.ensure_teacher().fp32)
    state: Dict[str, Any] = dict(ours)
    model.layout.teacher_to_upstream(state)
    blocks = {name.split("blocks.")[0] for name in state if "blocks." in name}
    assert blocks == {"encoder." if whole else ""}
    assert sum(name.endswith("attn.qkv.weight") for name in state) == LAYERS
    assert (
        sum(name.endswith("relative_position_index") for name in state) == {"shared": 1, "layers": 3, "none": 0}[kind]
    )
    model.layout.teacher_from_upstream(state)
    assert_equal(state, ours)
