"""How far a parameter moves: recorded scales, and what decays."""

import json
import re
from pathlib import Path

import pytest
import torch

from data2vec_plugin.core.update_rules import UpdateRule, decays, layer_of, lr_scale, update_rules

RECORDED = json.loads((Path(__file__).parents[1] / "fixtures" / "parity" / "layer_decay.json").read_text("utf-8"))
PRENET = 2  # blocks of the recorded model that come before its others


def our_name(name: str) -> str:
    """A recorded name with its blocks counted through."""
    name = re.sub(r"context_encoder\.blocks\.(\d+)", r"layers.\1", name)
    return re.sub(r"model\.blocks\.(\d+)", lambda found: f"model.layers.{int(found.group(1)) + PRENET}", name)


@pytest.mark.parametrize("name", [name for name, value in RECORDED["overrides"].items() if "lr_scale" in value])
def test_scales_are_the_recorded_ones(name: str) -> None:
    layers = RECORDED["layers"]
    layer = layer_of(our_name(name), layers, ())
    assert lr_scale(layer, layers, RECORDED["layer_decay"]) == pytest.approx(RECORDED["overrides"][name]["lr_scale"])


@pytest.mark.parametrize("name", list(RECORDED["overrides"]))
def test_what_was_recorded_as_not_decayed_is_not(name: str) -> None:
    vector = name.endswith(("norm1.weight", "norm2.weight", "norm.weight"))
    found = decays(name, torch.zeros(2) if vector else torch.zeros(2, 2), ())
    assert found == ("weight_decay_scale" not in RECORDED["overrides"][name])


def test_embeddings_learn_slowest_and_what_is_above_at_full_rate() -> None:
    names = ["patch_embed.weight", "encoder.layers.0.fc1.weight", "encoder.layers.11.fc1.weight", "head.weight"]
    rules = update_rules(((name, torch.zeros(2, 2)) for name in names), 12, 0.65, ("patch_embed.",), ())
    assert [rules[name].lr_scale for name in names] == pytest.approx([0.65**13, 0.65**12, 0.65, 1.0])


def test_a_factor_of_one_leaves_only_the_rule_of_decay() -> None:
    parameters = [("patch_embed.weight", torch.zeros(2, 2)), ("layers.0.gamma_1", torch.zeros(2))]
    rules = update_rules([*parameters, ("rel.table", torch.zeros(2, 2))], 1, 1.0, ("patch_embed.",), ("table",))
    assert list(rules.values()) == [UpdateRule(1.0, True), UpdateRule(1.0, False), UpdateRule(1.0, False)]


@pytest.mark.parametrize("factor", [0.0, -0.5, 1.5])
def test_a_factor_that_slows_nothing_down_is_refused(factor: float) -> None:
    with pytest.raises(ValueError, match=f"`layer_decay` is {factor}; expected more than 0 and at most 1"):
        update_rules([], 1, factor, (), ())
