"""Hugging Face's Data2VecAudio, the real classes: every weight and every key, both ways."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Dict

import huggingface
import pytest
import torch
from models.tiny import tiny_model
from torch import Tensor

from data2vec_plugin.convert.weights import plain_state
from data2vec_plugin.interop.huggingface.audio import (
    ARCHITECTURES,
    DEFAULTS,
    MODEL_TYPE,
    OURS,
    SAME_VALUE,
    config_from_hf,
    config_to_hf,
    weights_from_hf,
    weights_to_hf,
)

transformers = huggingface.transformers()
KINDS = sorted(ARCHITECTURES)


def ours(kind: str, **settings: Any) -> Dict[str, Tensor]:
    """Weights of a tiny model with our names in memory, of CTC with a head for seven symbols."""
    state = dict(plain_state(tiny_model(**settings)))
    head = {"head.weight": torch.zeros(7, 16), "head.bias": torch.zeros(7)}
    return {**state, **(head if kind == "ctc" else {})}


def keys(**settings: Any) -> Dict[str, Any]:
    return asdict(tiny_model(**settings).cfg)


def theirs(kind: str, config: Dict[str, Any]) -> Any:
    hf = transformers.Data2VecAudioConfig(**config, vocab_size=7)
    return getattr(transformers, ARCHITECTURES[kind])(hf)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_has_its_place_in_their_model(kind: str, bias: bool) -> None:
    converted = weights_to_hf(ours(kind, conv_bias=bias), kind)
    real = theirs(kind, config_to_hf(keys(conv_bias=bias), kind)).state_dict()
    assert {name: value.shape for name, value in converted.items()} == {n: v.shape for n, v in real.items()}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_theirs_has_its_place_in_ours(kind: str, bias: bool) -> None:
    real = theirs(kind, config_to_hf(keys(conv_bias=bias), kind)).state_dict()
    back, wanted = weights_from_hf(real, kind), ours(kind, conv_bias=bias)
    missing = {"final_proj.weight", "final_proj.bias"}
    assert {n: v.shape for n, v in back.items()} == {n: v.shape for n, v in wanted.items() if n not in missing}
    assert missing < wanted.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_the_way_back_gives_the_same_tensors(kind: str) -> None:
    state = ours(kind)
    back = weights_from_hf(weights_to_hf(state, kind), kind)
    assert all(value is state[name] for name, value in back.items())


def test_a_weight_of_a_normed_convolution_is_not_taken() -> None:
    with pytest.raises(ValueError, match=r"`encoder\.pos_conv\.0\.bias`, `encoder\.pos_conv\.0\.parametrizations"):
        weights_to_hf(ours("base", pos_conv_depth=1), "base")


def test_their_defaults_are_theirs() -> None:
    real = transformers.Data2VecAudioConfig().to_dict()
    assert {key: list(real[key]) if isinstance(real[key], tuple) else real[key] for key in DEFAULTS} == DEFAULTS


def test_the_model_type_is_theirs() -> None:
    assert transformers.Data2VecAudioConfig.model_type == MODEL_TYPE


def test_a_configuration_comes_back() -> None:
    sent = keys(conv_bias=True, dropout=0.25, attention_dropout=0.125, activation_fn="relu")
    back = config_from_hf(config_to_hf(sent, "base"), "base")
    same = [name for name, _ in SAME_VALUE] + [*OURS, "activation_fn", "conv_pos"]
    assert {name: back[name] for name in same} == {name: sent[name] for name in same}
    assert back["conv_feature_layers"] == "[(8, 10, 5), (8, 3, 2)]"


def test_no_key_at_all_is_the_published_base_model() -> None:
    back = config_from_hf({}, "base")
    assert (back["encoder_layers"], back["encoder_embed_dim"]) == (12, 768)
    assert (back["conv_pos"], back["pos_conv_depth"]) == (95, 5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"extractor_mode": "default"}, "`extractor_mode` is 'default'"),
        ({"layer_norm_first": True}, "`layer_norm_first` is True"),
        ({"pos_conv_depth": 1}, "`pos_conv_depth` is 1: .* not wav2vec 2.0's weight-normalised one"),
        ({"activation_fn": "gelu_fast"}, "`activation_fn` is 'gelu_fast', which cannot be converted"),
    ],
)
def test_what_they_cannot_express_is_an_error(setting: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_to_hf({**keys(), **setting}, "base")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"add_adapter": True}, "`add_adapter` is True"),
        ({"layer_norm_eps": 1e-6}, "`layer_norm_eps` is 1e-06"),
        ({"feat_extract_activation": "relu"}, "`feat_extract_activation` is 'relu'"),
        ({"num_conv_pos_embeddings": 1}, "`num_conv_pos_embeddings` is 1"),
        ({"hidden_act": "silu"}, "`hidden_act` is 'silu', which cannot be converted"),
    ],
)
def test_what_ours_cannot_express_is_an_error(setting: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_from_hf(setting, "base")
