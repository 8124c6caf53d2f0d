"""Upstream's names of the text model and ours: every key maps, under any prefix, as often as one likes."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from models.tiny_text import WORDS, tiny_text

from data2vec_plugin.convert.weights import plain_state
from data2vec_plugin.interop.fairseq.text_v1 import (
    from_upstream,
    teacher_from_upstream,
    teacher_to_upstream,
    to_upstream,
    vocabulary_size,
)

PAIRS = {
    "encoder.sentence_encoder.layers.0.fc1.weight": "encoder.layers.0.fc1.weight",
    "encoder.sentence_encoder.embed_tokens.weight": "encoder.embed_tokens.weight",
    "encoder.sentence_encoder.layer_norm.bias": "encoder.layer_norm.bias",
    "encoder.regression_head.0.weight": "final_proj.0.weight",
    "encoder._ema": "_ema",
    "classification_heads.a.dense.weight": "classification_heads.a.dense.weight",
}
OLD = {
    "decoder.sentence_encoder.emb_layer_norm.weight": "encoder.layernorm_embedding.weight",
    "decoder.sentence_encoder.layers.1.layer_norms.0.bias": "encoder.layers.1.self_attn_layer_norm.bias",
    "encoder.sentence_encoder.layers.1.self_attn.layer_norms.0.bias": "encoder.layers.1.self_attn_layer_norm.bias",
    "encoder.sentence_encoder.layers.1.layer_norms.1.bias": "encoder.layers.1.final_layer_norm.bias",
}
GONE = (
    "encoder.lm_head.bias",
    "encoder.sentence_encoder.layers.11.in_proj_weight",
    "decoder.lm_head.dense.weight",
    "encoder.emb_head.x",
    "encoder.target_model.x",
)
PREFIXES = ["", "model."]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(("theirs", "ours"), [*PAIRS.items(), *OLD.items()])
def test_single_names(prefix: str, theirs: str, ours: str) -> None:
    state: Dict[str, Any] = {prefix + theirs: 1}
    from_upstream(state, prefix)
    assert state == {prefix + ours: 1}
    from_upstream(state, prefix)
    assert state == {prefix + ours: 1}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_renaming_is_reversible_idempotent_and_keeps_to_its_prefix(prefix: str) -> None:
    ours = {prefix + name: value for name, value in plain_state(tiny_text()).items()}
    other = {"elsewhere.encoder.layers.0.fc1.weight": 0} if prefix else {}
    state: Dict[str, Any] = {**ours, **other}
    to_upstream(state, prefix)
    once = dict(state)
    to_upstream(state, prefix)
    assert state.keys() == once.keys()
    assert state[prefix + "encoder.sentence_encoder.version"].tolist() == [3.0]
    from_upstream(state, prefix)
    assert state == {**ours, **other}


@pytest.mark.parametrize("name", GONE)
def test_other_objectives_go(name: str) -> None:
    state = {name: 1, "encoder.layers.0.fc1.weight": 2, "encoder.sentence_encoder.version": 3}
    from_upstream(state)
    assert state == {"encoder.layers.0.fc1.weight": 2}


def test_the_teachers_names_are_ours() -> None:
    state = {"layers.0.fc1.weight": 1}
    teacher_to_upstream(state)
    teacher_from_upstream(state)
    assert state == {"layers.0.fc1.weight": 1}


def test_size_of_the_dictionary_is_told_by_the_embedding() -> None:
    assert vocabulary_size(tiny_text().state_dict()) == WORDS + 5
    assert vocabulary_size({"encoder.layers.0.fc1.weight": torch.zeros(2)}) == 0
