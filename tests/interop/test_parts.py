"""Names of parts beside plain ones, and the order that parameters once had.

``tests/fixtures/first_format`` lists the parameters of the small models of `tests/models`, in the order in which they
were registered when checkpoints had their first format; that version of this project wrote the lists.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from models.tiny import tiny_model
from models.tiny_text import tiny_text
from models.tiny_vision import tiny_vision

MODELS: Dict[str, Callable[..., Any]] = {"speech": tiny_model, "text": tiny_text, "image": tiny_vision}
FIRST = Path(__file__).parents[1] / "fixtures" / "first_format"


@pytest.mark.parametrize("modality", MODELS)
@pytest.mark.parametrize("prefix", ["", "w2v_encoder.w2v_model."])
def test_every_parameter_has_a_plain_name_and_comes_back(modality: str, prefix: str) -> None:
    model = MODELS[modality]()
    ours = {prefix + name: value for name, value in model.named_parameters()}
    state = dict(ours)
    model.layout.to_plain(state, prefix)
    assert not [name for name in state if name.startswith(f"{prefix}method.")]
    once = dict(state)
    model.layout.to_plain(state, prefix)
    assert list(state) == list(once)
    model.layout.from_plain(state, prefix)
    assert list(state) == list(ours)
    model.layout.from_plain(state, prefix)
    assert list(state) == list(ours)


@pytest.mark.parametrize("modality", ["speech", "image"])
def test_the_first_order_is_the_recorded_one(modality: str) -> None:
    model = MODELS[modality]()
    names = sorted((name for name, _ in model.named_parameters()), key=model.layout.first_place)
    plain: Dict[str, Any] = dict.fromkeys(names)
    model.layout.to_plain(plain)
    assert list(plain) == json.loads((FIRST / f"{modality}.json").read_text("utf-8"))
    assert names != [name for name, _ in model.named_parameters()]
