"""Upstream's names and ours: every key maps, under any prefix, as often as one likes."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch

from data2vec_plugin.convert.weights import plain_state
from data2vec_plugin.interop.fairseq.audio_v1 import from_upstream, to_upstream
from data2vec_plugin.models.audio_config import Data2VecAudioConfig
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel

PREFIXES = ["", "w2v_encoder.w2v_model."]


def model(depth: int, mode: str = "layer_norm") -> Data2VecAudioModel:
    cfg = Data2VecAudioConfig(encoder_layers=1, encoder_embed_dim=8, encoder_ffn_embed_dim=8, encoder_attention_heads=2)
    cfg.conv_feature_layers, cfg.extractor_mode = "[(4,10,5)]*2", mode
    cfg.conv_pos, cfg.conv_pos_groups, cfg.pos_conv_depth = 6, 2, depth
    cfg.average_top_k_layers = cfg.ema_anneal_end_step = cfg.max_update = 1
    return Data2VecAudioModel(cfg)


def upstream_keys(depth: int, mode: str) -> Dict[str, Any]:
    """Names and shapes that upstream's layout has for the model above."""
    norm = ("weight", "bias")
    keys: Dict[str, Any] = {"mask_emb": (8,), "post_extract_proj.weight": (8, 4), "post_extract_proj.bias": (8,)}
    keys.update({f"feature_extractor.conv_layers.{i}.0.weight": (4, (1, 4)[i], 10) for i in (0, 1)})
    norms = [0] if mode == "default" else [0, 1]
    inner = "2" if mode == "default" else "2.1"
    keys.update({f"feature_extractor.conv_layers.{i}.{inner}.{part}": (4,) for i in norms for part in norm})
    if depth == 1:
        keys.update({"encoder.pos_conv.0.weight_g": (1, 1, 6), "encoder.pos_conv.0.weight_v": (8, 4, 6)})
        keys["encoder.pos_conv.0.bias"] = (8,)
    else:
        for i in range(depth):
            keys.update({f"encoder.pos_conv.{i}.0.weight": (8, 4, 3), f"encoder.pos_conv.{i}.0.bias": (8,)})
    linear = ["encoder.layers.0.self_attn." + part for part in ("k_proj", "v_proj", "q_proj", "out_proj")]
    for name in (*linear, "encoder.layers.0.fc1", "encoder.layers.0.fc2", "final_proj"):
        keys.update({f"{name}.weight": (8, 8), f"{name}.bias": (8,)})
    for name in ("encoder.layers.0.self_attn_layer_norm", "encoder.layers.0.final_layer_norm", "encoder.layer_norm"):
        keys.update({f"{name}.{part}": (8,) for part in norm})
    keys.update({f"layer_norm.{part}": (4,) for part in norm})
    return keys


@pytest.mark.parametrize("mode", ["default", "layer_norm"])
@pytest.mark.parametrize("depth", [1, 2])
def test_state_has_upstreams_names_and_shapes(depth: int, mode: str) -> None:
    shapes = {key: tuple(value.shape) for key, value in model(depth, mode).state_dict().items()}
    assert shapes == upstream_keys(depth, mode)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_renaming_is_reversible_idempotent_and_keeps_to_its_prefix(prefix: str) -> None:
    ours = {prefix + name: value for name, value in plain_state(model(1)).items()}
    other = "other.pos_conv.0.parametrizations.weight.original0"
    state: Dict[str, Any] = {**ours, other: 0} if prefix else dict(ours)
    to_upstream(state, prefix)
    once = dict(state)
    to_upstream(state, prefix)
    assert state == once
    assert prefix + "encoder.pos_conv.0.weight_g" in state
    assert (other in state) == bool(prefix)
    from_upstream(state, prefix)
    from_upstream(state, prefix)
    assert {key: value for key, value in state.items() if key != other} == ours


def upstream_name(name: str) -> str:
    state = {name: None}
    to_upstream(state)
    return next(iter(state))


def our_name(name: str) -> str:
    state = {name: None}
    from_upstream(state)
    return next(iter(state))


@pytest.mark.parametrize("prefix", ["", "encoder.", "w2v_encoder.w2v_model.encoder."])
def test_single_names(prefix: str) -> None:
    ours, theirs = prefix + "pos_conv.0.parametrizations.weight.original1", prefix + "pos_conv.0.weight_v"
    assert (upstream_name(ours), our_name(theirs)) == (theirs, ours)
    assert (upstream_name(theirs), our_name(ours)) == (theirs, ours)
    assert upstream_name(prefix + "pos_conv.0.0.weight") == prefix + "pos_conv.0.0.weight"
    assert our_name("xpos_conv.0.weight_v") == "xpos_conv.0.weight_v"


@pytest.mark.parametrize("layout", ["upstream", "ours"])
def test_nested_model_loads_either_layout(layout: str) -> None:
    saved = model(1)
    state = saved.state_dict() if layout == "upstream" else torch.nn.Module.state_dict(saved)
    wrapper = torch.nn.ModuleDict({"w2v_encoder": torch.nn.ModuleDict({"w2v_model": model(1)})})
    wrapper.load_state_dict({"w2v_encoder.w2v_model." + key: value for key, value in state.items()}, strict=True)
    loaded = wrapper.state_dict()
    for key, value in saved.state_dict().items():
        assert torch.equal(loaded["w2v_encoder.w2v_model." + key], value)
