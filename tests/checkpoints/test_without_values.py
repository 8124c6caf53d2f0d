"""A model that is to be loaded is built without drawing initial values, and loaded as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from features.made import speech_checkpoint, text_checkpoint
from models.tiny_text import dictionary, trainer_state
from models.tiny_vision import section, tiny_vision
from torch import nn

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
from data2vec_plugin.checkpoints.without_values import WithoutValues


def image_checkpoint(path: Path) -> None:
    cfg = {"model": section(), "task": {"_name": "image_pretraining", "data": "gone"}}
    torch.save(trainer_state(cfg, tiny_vision().state_dict()), path)


MADE: Dict[str, Callable[[Path], Any]] = {
    "speech": speech_checkpoint,
    "text": text_checkpoint,
    "image": image_checkpoint,
}


@pytest.mark.parametrize("modality", MADE)
def test_nothing_is_drawn_and_every_weight_is_the_checkpoints(modality: str, tmp_path: Path) -> None:
    MADE[modality](tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    before = torch.get_rng_state()
    model = build_encoder(checkpoint, False, dictionary() if modality == "text" else None)
    assert torch.equal(torch.get_rng_state(), before)
    names = [name for name in model.state_dict() if name in checkpoint.weights]
    assert len(names) > 10
    assert all(torch.equal(model.state_dict()[name], checkpoint.weights[name]) for name in names)


def test_values_that_are_not_random_are_set() -> None:
    with WithoutValues():
        norm, linear = nn.LayerNorm(3), nn.Linear(3, 3)
        nn.init.zeros_(linear.bias)
        nn.init.normal_(tensor=linear.weight, std=0.02)
        nn.init.trunc_normal_(linear.weight, std=0.02)
    assert torch.equal(norm.weight, torch.ones(3))
    assert torch.equal(linear.bias, torch.zeros(3))


def test_afterwards_they_are_drawn_as_ever() -> None:
    torch.manual_seed(0)
    expected = nn.Linear(3, 3).weight
    torch.manual_seed(0)
    with WithoutValues():
        nn.Linear(3, 3)
    assert torch.equal(nn.Linear(3, 3).weight, expected)
