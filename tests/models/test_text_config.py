"""Keys and defaults of text are upstream's; what we cannot honour is refused by name."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any, Dict

import pytest
from fairseq.dataclass.utils import merge_with_parent
from fairseq.models.transformer import TransformerConfig as FairseqTransformerConfig
from models.tiny_text import dictionary, section
from omegaconf import OmegaConf

from data2vec_plugin.config_keys import UnknownKeyError
from data2vec_plugin.models.text_classification_config import Data2VecTextClassificationConfig
from data2vec_plugin.models.text_config import (
    Data2VecTextConfig,
    TextTransformerConfig,
    method_config,
    refuse_unsupported,
    text_config,
)

UPSTREAM: Dict[str, Any] = {
    "max_positions": "${task.tokens_per_sample}",
    "head_layers": 1,
    "load_checkpoint_heads": False,
    "loss_beta": 0,
    "loss_scale": None,
    "average_top_k_layers": 8,
    "layer_norm_target_layer": False,
    "instance_norm_target_layer": False,
    "batch_norm_target_layer": False,
    "instance_norm_targets": False,
    "layer_norm_targets": False,
    "ema_decay": 0.999,
    "ema_end_decay": 0.9999,
    "ema_anneal_end_step": "${optimization.max_update}",
    "ema_transformer_layers_only": True,
}
CLASSIFICATION: Dict[str, Any] = {
    "pooler_dropout": 0.0,
    "pooler_activation_fn": "tanh",
    "quant_noise_pq": 0,
    "quant_noise_pq_block_size": 8,
    "spectral_norm_classification_head": False,
    "model_path": "???",
    "no_pretrained_weights": False,
    "pretrained_model_args": None,
}
OURS = {"min_target_var", "min_pred_var", "target_signal", "norm_eps", "reference_compat"}
OURS_IN_CLASSIFICATION = {"dropout", "attention_dropout", "activation_dropout", "max_positions", "token_level"}
RECIPE: Dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "fixtures" / "parity" / "text_base" / "config.json").read_text("utf-8")
)["model"]


def defaults(config: Any) -> Dict[str, Any]:
    return {field.name: field.default for field in dataclasses.fields(config) if field.name != "_name"}


def config(**settings: Any) -> Any:
    return merge_with_parent(Data2VecTextConfig(), OmegaConf.create(section(**settings)))


@pytest.mark.parametrize(
    ("dataclass", "upstream", "ours"),
    [
        (Data2VecTextConfig, UPSTREAM, OURS | {"transformer"}),
        (Data2VecTextClassificationConfig, CLASSIFICATION, OURS_IN_CLASSIFICATION),
    ],
)
def test_defaults_are_upstreams(dataclass: Any, upstream: Dict[str, Any], ours: Any) -> None:
    found = defaults(dataclass)
    assert {name: found.get(name, "missing") for name in upstream} == upstream
    assert set(found) - set(upstream) == ours


def test_defaults_of_the_transformer_are_fairseqs() -> None:
    ours, theirs = TextTransformerConfig(), FairseqTransformerConfig()
    for field in dataclasses.fields(theirs):
        assert getattr(ours, field.name) == getattr(theirs, field.name), field.name
    encoder = ours.encoder
    assert (ours.layernorm_embedding, ours.no_scale_embedding, str(ours.activation_fn)) == (False, False, "relu")
    assert (encoder.embed_dim, encoder.ffn_embed_dim, encoder.layers, encoder.attention_heads) == (512, 2048, 6, 8)
    assert encoder.learned_pos is False


def test_a_configuration_of_upstreams_main_is_taken_as_it_is() -> None:
    cfg = merge_with_parent(Data2VecTextConfig(), OmegaConf.create(RECIPE))
    assert cfg.transformer.encoder.embed_dim == RECIPE["transformer"]["encoder"]["embed_dim"]
    assert method_config(cfg).transformer.layers == RECIPE["transformer"]["encoder"]["layers"]


def test_a_misspelt_key_is_told_what_was_meant() -> None:
    from fairseq.dataclass import utils

    with pytest.raises(UnknownKeyError, match=r"did you mean `model\.average_top_k_layers`"):
        utils.merge_with_parent(Data2VecTextConfig(), OmegaConf.create({"average_topk_layers": 1}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("transformer__adaptive_input", True),
        ("transformer__base_layers", 2),
        ("transformer__char_inputs", True),
        ("transformer__offload_activations", True),
        ("encoder__layers_to_keep", [0, 1]),
        ("encoder__embed_path", "vectors.txt"),
    ],
)
def test_unsupported_value_is_refused(key: str, value: Any) -> None:
    path = key.replace("encoder__", "transformer.encoder.").replace("__", ".")
    with pytest.raises(ValueError, match=rf"`model\.{path}` is .*; this model supports"):
        method_config(config(**{key: value}))


@pytest.mark.parametrize("kind", ["pq", "scalar"])
def test_quantisation_noise_is_refused(kind: str) -> None:
    transformer = copy.deepcopy(TextTransformerConfig())  # fairseq's defaults are shared
    setattr(transformer.quant_noise, kind, 0.1)
    with pytest.raises(ValueError, match=rf"`model\.transformer\.quant_noise\.{kind}` is 0\.1"):
        refuse_unsupported(transformer)


@pytest.mark.parametrize(("layers_only", "scope"), [(True, "layers"), (False, "encoder")])
def test_scope_of_the_teacher(layers_only: bool, scope: str) -> None:
    assert method_config(config(ema_transformer_layers_only=layers_only)).teacher.scope == scope


def test_every_key_reaches_the_core() -> None:
    """Each setting that the method reads changes the settings of the core, or of the embedding."""
    changes: Dict[str, Any] = {
        **dict.fromkeys(("head_layers", "average_top_k_layers", "encoder__layers", "ema_anneal_end_step"), 5),
        **dict.fromkeys(("encoder__embed_dim", "encoder__ffn_embed_dim", "transformer__max_source_positions"), 64),
        **dict.fromkeys(("loss_beta", "loss_scale", "ema_decay", "ema_end_decay", "encoder__layerdrop"), 0.55),
        **dict.fromkeys((f"transformer__{part}dropout" for part in ("", "attention_", "activation_")), 0.33),
        **dict.fromkeys((key for key in UPSTREAM if "_norm_target" in key), True),
        **dict.fromkeys(("reference_compat", "encoder__normalize_before"), True),
        **dict.fromkeys(("transformer__checkpoint_activations", "transformer__no_token_positional_embeddings"), True),
        **dict.fromkeys(("transformer__layernorm_embedding", "transformer__no_scale_embedding"), False),
        **dict.fromkeys(("ema_transformer_layers_only", "encoder__learned_pos"), False),
        **{"transformer__relu_dropout": 0.2, "transformer__activation_fn": "relu", "encoder__attention_heads": 2},
        **{"target_signal": "block", "norm_eps": 1e-12},
    }

    def settings(**values: Any) -> Any:
        cfg = config(**values)
        return method_config(cfg), text_config(cfg, dictionary())

    assert not [key for key, value in changes.items() if settings(**{key: value}) == settings()]
