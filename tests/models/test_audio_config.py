"""Keys and defaults are upstream's; what we cannot honour is refused by name."""

from __future__ import annotations

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any, Dict

import fairseq
import pytest
from fairseq.models.wav2vec import Wav2Vec2Config

from data2vec_plugin.models.audio_config import Data2VecAudioConfig, audio_config, method_config

UPSTREAM = Path(fairseq.__file__).parent / "examples" / "data2vec" / "models" / "data2vec_audio.py"
RECORDED = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "parity" / "audio_base" / "config.json").read_text("utf-8")
)["model"]
OURS = {"target_signal", "reference_compat", "compile_encoder"}
# what fairseq's wav2vec 2.0 has for its own trainer modes, and data2vec does not read
FOREIGN = {"offload_activations", "min_params_to_wrap", "ddp_backend", "precompute_mask_config"}


def defaults(config: Any) -> Dict[str, Any]:
    found = {}
    for field in dataclasses.fields(config):
        made = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        found[field.name] = str(made) if field.name.endswith(("_mode", "_selection", "_fn", "layer_type")) else made
    return found


def test_defaults_are_those_of_wav2vec() -> None:
    ours, theirs = defaults(Data2VecAudioConfig), defaults(Wav2Vec2Config)
    shared = set(theirs) - FOREIGN
    assert not shared - set(ours)
    assert {key: ours[key] for key in shared} == {key: theirs[key] for key in shared}


@pytest.mark.skipif(not UPSTREAM.exists(), reason="this fairseq comes without upstream's data2vec")
def test_defaults_are_those_of_upstreams_dataclass() -> None:
    """Read, not imported: importing would register upstream's model over ours."""
    tree = ast.parse(UPSTREAM.read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Config")).body
    theirs: Dict[str, Any] = {}
    for node in body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            value = node.value
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "field":
                value = next(keyword.value for keyword in value.keywords if keyword.arg == "default")
            if isinstance(value, ast.Call):  # II("optimization.max_update")
                theirs[node.target.id] = "${" + ast.literal_eval(value.args[0]) + "}"
            else:
                theirs[node.target.id] = ast.literal_eval(value)
    ours = defaults(Data2VecAudioConfig)
    assert len(theirs) > 15
    assert {key: ours.get(key, "missing") for key in theirs} == theirs


def test_every_key_of_upstreams_main_is_known_and_no_other_but_ours() -> None:
    names = {field.name for field in dataclasses.fields(Data2VecAudioConfig)}
    assert set(RECORDED) <= names
    assert names - set(RECORDED) - set(defaults(Wav2Vec2Config)) == OURS


@pytest.mark.parametrize(
    ("key", "value"),
    [("layer_type", "conformer"), ("adp_num", 1), ("crop_seq_to_multiple", 2), ("attn_type", "espnet")],
)
def test_unsupported_value_is_refused(key: str, value: Any) -> None:
    cfg = Data2VecAudioConfig(ema_anneal_end_step=1)
    setattr(cfg, key, value)
    with pytest.raises(ValueError, match=rf"`model.{key}` is {value!r}; this model supports"):
        method_config(cfg)


@pytest.mark.parametrize(
    ("layers_only", "transformer_only", "scope"),
    [(True, True, "layers"), (True, False, "layers"), (False, True, "encoder"), (False, False, "model")],
)
def test_scope_of_the_teacher(layers_only: bool, transformer_only: bool, scope: str) -> None:
    cfg = Data2VecAudioConfig(ema_layers_only=layers_only, ema_transformer_only=transformer_only, ema_anneal_end_step=1)
    assert method_config(cfg).teacher.scope == scope


@pytest.mark.parametrize("compat", [False, True])
def test_whole_model_teacher_averages_every_layer_in_the_reference_only(compat: bool) -> None:
    cfg = Data2VecAudioConfig(ema_layers_only=False, ema_transformer_only=False, reference_compat=compat)
    cfg.ema_anneal_end_step = 1
    assert method_config(cfg).targets.top_k == (12 if compat else 8)


def test_every_key_reaches_the_core() -> None:
    """Each setting that the method reads changes the settings of the core, or of the front end."""
    changes: Dict[str, Any] = {
        **dict.fromkeys(("encoder_layers", "encoder_ffn_embed_dim", "mask_length", "conv_pos", "mask_min_space"), 13),
        **dict.fromkeys(("mask_channel_length", "mask_channel_min_space", "encoder_attention_heads"), 16),
        **dict.fromkeys(("dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop"), 0.33),
        **dict.fromkeys(("dropout_input", "mask_prob", "mask_other", "mask_dropout", "mask_channel_prob"), 0.44),
        **dict.fromkeys(("mask_channel_other", "feature_grad_mult", "loss_beta", "loss_scale", "ema_decay"), 0.55),
        **dict.fromkeys(("layer_norm_first", "no_mask_overlap", "no_mask_channel_overlap", "conv_bias"), True),
        **dict.fromkeys(("mask_channel_before", "checkpoint_activations", "reference_compat"), True),
        **dict.fromkeys((key for key in RECORDED if "_norm_target" in key), True),
        **dict.fromkeys(("require_same_masks", "ema_layers_only"), False),
        **{"encoder_embed_dim": 960, "activation_fn": "relu", "extractor_mode": "layer_norm"},
        **{"average_top_k_layers": 3, "target_signal": "block"},
        **{"conv_feature_layers": "[(8,3,2)]", "mask_selection": "poisson", "mask_channel_selection": "normal"},
        **{"conv_pos_groups": 4, "pos_conv_depth": 5, "ema_end_decay": 0.77, "ema_anneal_end_step": 9},
    }

    def settings(**values: Any) -> Any:
        cfg = Data2VecAudioConfig(**{"ema_anneal_end_step": 1, **values})
        return method_config(cfg), audio_config(cfg)

    assert not [key for key, value in changes.items() if settings(**{key: value}) == settings()]


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("mask_length", 0, r"`model\.mask_length` is 0; expected at least 1 position"),
        ("mask_prob", -0.5, r"`model\.mask_prob` is -0\.5; expected 0 \(no mask\) or more"),
        ("mask_dropout", 1.0, r"`model\.mask_dropout` is 1\.0"),
        ("mask_selection", "often", r"`model\.mask_selection` is 'often'; expected static"),
        ("mask_channel_length", 0, r"`model\.mask_channel_length` is 0"),
        ("mask_channel_selection", "often", r"`model\.mask_channel_selection` is 'often'"),
    ],
)
def test_masks_that_cannot_be_are_told_by_their_key(key: str, value: Any, told: str) -> None:
    cfg = Data2VecAudioConfig()
    setattr(cfg, key, value)
    with pytest.raises(ValueError, match=told):
        method_config(cfg)
