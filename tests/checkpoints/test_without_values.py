"""A model that is to be loaded is built without drawing initial values, and loaded as any other."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, Callable, Dict

import pytest
import torch
from features.made import speech_checkpoint, text_checkpoint
from models.tiny_text import dictionary, trainer_state
from models.tiny_vision import section, tiny_vision
from torch import nn

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
from data2vec_plugin.checkpoints.without_values import without_values


def image_checkpoint(path: Path) -> None:
    cfg = {"model": section(), "task": {"_name": "image_pretraining", "data": "gone"}}
    torch.save(trainer_state(cfg, tiny_vision().state_dict()), path)


MADE: Dict[str, Callable[[Path], Any]] = {
    "speech": speech_checkpoint,
    "text": text_checkpoint,
    "image": image_checkpoint,
}


@pytest.mark.parametrize("modality", MADE)
def test_every_weight_is_the_checkpoints(modality: str, tmp_path: Path) -> None:
    MADE[modality](tmp_path / "model.pt")
    checkpoint = open_checkpoint(tmp_path / "model.pt")
    model = build_encoder(checkpoint, False, dictionary() if modality == "text" else None)
    names = [name for name in model.state_dict() if name in checkpoint.weights]
    assert len(names) > 10
    assert all(torch.equal(model.state_dict()[name], checkpoint.weights[name]) for name in names)


def test_nothing_is_drawn() -> None:
    before = torch.get_rng_state()
    with without_values():
        layers = nn.Linear(300, 300), nn.Conv1d(8, 8, 3), nn.Embedding(9, 8)
        nn.init.trunc_normal_(layers[0].weight, std=0.02, a=-0.04, b=0.04)
    assert torch.equal(torch.get_rng_state(), before)


def test_memory_that_held_anything_does_not_matter() -> None:
    """torch draws a truncated normal distribution until all values are in range, which memory's may never be."""
    weight = torch.full((4, 4), 1e6)
    with without_values():
        nn.init.trunc_normal_(weight, std=0.02, a=-0.04, b=0.04)
    assert bool((weight == 1e6).all())


def test_values_that_are_not_random_are_set() -> None:
    with without_values():
        norm, linear = nn.LayerNorm(3), nn.Linear(3, 3)
        nn.init.zeros_(linear.bias)
        nn.init.normal_(tensor=linear.weight, std=0.02)
        nn.init.trunc_normal_(linear.weight, std=0.02)
    assert torch.equal(norm.weight, torch.ones(3))
    assert torch.equal(linear.bias, torch.zeros(3))


def test_afterwards_they_are_drawn_as_before() -> None:
    torch.manual_seed(0)
    expected = nn.Linear(3, 3).weight
    torch.manual_seed(0)
    with without_values():
        nn.Linear(3, 3)
    assert torch.equal(nn.Linear(3, 3).weight, expected)


def test_threads_do_not_leave_the_functions_replaced() -> None:
    stock, both = nn.init.normal_, Barrier(2)

    def build() -> None:
        both.wait()
        with without_values():
            time.sleep(0.02)

    threads = [Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert nn.init.normal_ is stock
