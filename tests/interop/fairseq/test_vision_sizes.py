"""Sizes read off weights."""

from __future__ import annotations

from typing import Any, Dict

import pytest
from models.tiny_vision import section, tiny_vision

from data2vec_plugin.convert.weights import plain_state
from data2vec_plugin.interop.fairseq.vision_sizes import vision_sizes


@pytest.mark.parametrize("settings", [{}, {"shared_rel_pos_bias": False}, {"layer_scale_init_value": 0.0}])
def test_sizes_are_those_that_the_model_was_made_with(settings: Dict[str, Any]) -> None:
    model = tiny_vision(**settings)
    found = vision_sizes(plain_state(model))
    expected = {"shared_rel_pos_bias": True, "in_channels": 3, **section(**settings)}
    assert found.pop("layer_scale_init_value") == (0 if expected["layer_scale_init_value"] == 0 else 1e-4)
    assert found.pop("ema_anneal_end_step") == 1
    assert found == {name: expected[name] for name in found}


def test_weights_without_positions_tell_no_heads() -> None:
    with pytest.raises(ValueError, match="no table of relative positions, so the number of heads is unknown"):
        vision_sizes(plain_state(tiny_vision(rel_pos_bias=False)))


def test_other_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="not those of a `data2vec_vision` or BEiT model"):
        vision_sizes({})
