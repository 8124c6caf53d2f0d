"""Keys and defaults of images are upstream's; what does not fit together is refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict

import pytest
from fairseq.dataclass.utils import merge_with_parent
from models.tiny_vision import section, tiny_vision
from omegaconf import OmegaConf

from data2vec_plugin.config_keys import UnknownKeyError
from data2vec_plugin.core.masks.block_masking import BlockMaskConfig
from data2vec_plugin.models.vision_config import Data2VecVisionConfig, image_config, method_config

UPSTREAM: Dict[str, Any] = {
    "layer_scale_init_value": 1e-4,
    "num_mask_patches": 75,
    "min_mask_patches_per_block": 16,
    "max_mask_patches_per_block": 196,
    "image_size": 224,
    "patch_size": 16,
    "in_channels": 3,
    "shared_rel_pos_bias": True,
    "drop_path": 0.1,
    "attention_dropout": 0.0,
    "depth": 12,
    "embed_dim": 768,
    "num_heads": 12,
    "mlp_ratio": 4,
    "loss_beta": 0,
    "loss_scale": None,
    "average_top_k_layers": 8,
    "end_of_block_targets": True,
    "layer_norm_target_layer": False,
    "instance_norm_target_layer": False,
    "batch_norm_target_layer": False,
    "instance_norm_targets": False,
    "layer_norm_targets": False,
    "ema_decay": 0.999,
    "ema_end_decay": 0.9999,
    "ema_anneal_end_step": "${optimization.max_update}",
    "ema_transformer_only": True,
}
OURS = {"min_target_var", "min_pred_var", "target_signal", "rel_pos_bias", "norm_eps"}
OURS |= {"checkpoint_activations", "reference_compat"}
D2V1_YAML = """
_name: data2vec_vision
attention_dropout: 0.05
drop_path: 0.25
end_of_block_targets: true
layer_norm_targets: true
average_top_k_layers: 6
loss_beta: 2
ema_decay: 0.999
ema_end_decay: 0.9998
"""


def config(**settings: Any) -> Any:
    return merge_with_parent(Data2VecVisionConfig(), OmegaConf.create(section(**settings)))


def test_defaults_are_upstreams() -> None:
    fields = {field.name: field.default for field in dataclasses.fields(Data2VecVisionConfig) if field.name != "_name"}
    assert {name: fields.get(name, "missing") for name in UPSTREAM} == UPSTREAM
    assert set(fields) - set(UPSTREAM) == OURS


def test_every_key_of_upstreams_is_accepted() -> None:
    values = {name: value for name, value in UPSTREAM.items() if name != "ema_anneal_end_step"}
    merge_with_parent(Data2VecVisionConfig(), OmegaConf.create({**values, "ema_anneal_end_step": 5}))


def test_an_upstream_yaml_is_the_published_base_model_but_for_its_mask() -> None:
    yaml = OmegaConf.create({**OmegaConf.to_container(OmegaConf.create(D2V1_YAML)), "ema_anneal_end_step": 5})
    cfg = merge_with_parent(Data2VecVisionConfig(), yaml)
    method, image = method_config(cfg), image_config(cfg)
    transformer = method.transformer
    assert (transformer.layers, transformer.dim, transformer.ffn_dim, transformer.heads) == (12, 768, 3072, 12)
    assert (transformer.norm_first, transformer.norm_at, transformer.key_bias) == (True, "output", False)
    assert (transformer.dropout, transformer.attention_dropout, transformer.drop_path) == (0.0, 0.05, 0.25)
    assert transformer.layer_scale == 1e-4
    assert (method.targets.signal, method.targets.top_k, method.targets.layer_norm_average) == ("block", 6, True)
    assert (method.teacher.scope, method.extra_tokens, method.loss.beta) == ("encoder", 1, 2)
    assert image.grid == (14, 14)
    assert image.positions == "shared"
    assert image.mask == BlockMaskConfig(75, 16, 196)


@pytest.mark.parametrize(
    ("settings", "signal"),
    [
        ({}, "block"),
        ({"end_of_block_targets": False}, "ffn"),
        ({"target_signal": "attention"}, "attention"),
        ({"target_signal": "block", "end_of_block_targets": False}, "block"),
    ],
)
def test_target_signal(settings: Dict[str, Any], signal: str) -> None:
    assert method_config(config(**settings)).targets.signal == signal


@pytest.mark.parametrize(
    ("settings", "positions"),
    [
        ({}, "shared"),
        ({"shared_rel_pos_bias": False}, "layers"),
        ({"rel_pos_bias": False}, "none"),
        ({"rel_pos_bias": False, "shared_rel_pos_bias": False}, "none"),
    ],
)
def test_positions(settings: Dict[str, Any], positions: str) -> None:
    assert image_config(config(**settings)).positions == positions


@pytest.mark.parametrize(("value", "scale"), [(None, None), (0.0, 1.0), (-2.0, 1.0), (0.3, 0.3)])
def test_a_loss_scale_of_nothing_or_less_is_none_at_all(value: Any, scale: Any) -> None:
    assert method_config(config(loss_scale=value)).loss.scale == scale


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_heads": 5}, "`model.num_heads` is 5, which does not divide `model.embed_dim` 16"),
        ({"num_heads": 0}, "`model.num_heads` is 0"),
        ({"patch_size": 5}, "`patch_size` is 5, which does not divide `image_size` 16"),
        ({"patch_size": 16}, r"`model\.patch_size` and `model\.image_size` are both 16: .* lower `model\.patch_size`"),
        ({"target_signal": "output"}, "`target_signal` is 'output'"),
        ({"average_top_k_layers": 0}, "`average_top_k_layers` is 0"),
        ({"num_mask_patches": 0}, r"`model\.num_mask_patches` is 0"),
        (
            {"max_mask_patches_per_block": 1},
            r"`model\.max_mask_patches_per_block` is 1, which is less than `model\.min_mask_patches_per_block`",
        ),
    ],
)
def test_what_does_not_fit_is_refused(settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiny_vision(**settings)


def test_a_misspelt_key_is_told_what_was_meant() -> None:
    with pytest.raises(UnknownKeyError, match=r"did you mean `model\.num_mask_patches`"):
        config(num_masked_patches=3)
