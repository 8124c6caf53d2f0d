"""Transforms: random ones follow the generator they are given, evaluation is the middle of the picture."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision")

from images import photograph
from PIL import Image

from data2vec_plugin.data.image.rand_augment import RandAugmentConfig
from data2vec_plugin.data.image.transforms import (
    Normalization,
    Transform,
    evaluation_transform,
    middle_of_strip,
    pretraining_transform,
    training_transform,
)

NORMAL = Normalization()
PLAIN = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pretraining(size: int = 32) -> Transform:
    return pretraining_transform(size, NORMAL, (0.08, 1.0), 0.4)


def training(size: int = 48, erase: float = 1.0) -> Transform:
    return training_transform(size, NORMAL, (0.08, 1.0), RandAugmentConfig(), erase)


@pytest.mark.parametrize(
    "transform", [pretraining(), training(), training(24)], ids=["pretraining", "training", "small"]
)
def test_what_is_drawn_follows_the_generator_alone(transform: Transform) -> None:
    picture = photograph(0)
    torch.manual_seed(1)
    first = transform(picture, rng(5))
    torch.manual_seed(2)
    random.seed(2)
    np.random.seed(2)
    assert torch.equal(transform(picture, rng(5)), first)
    assert not torch.equal(transform(picture, rng(6)), first)


@pytest.mark.parametrize("transform", [pretraining(), training(), training(24)], ids=["pretraining", "both", "small"])
def test_torchs_own_generator_is_not_touched(transform: Transform, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the model's: fairseq's buffer is filled in a thread beside the one that trains."""
    state = torch.random.get_rng_state()
    for name in ("manual_seed", "set_rng_state", "rand", "randn", "randint", "randperm"):
        monkeypatch.setattr(torch, name, lambda *args, **options: pytest.fail("drew from torch"))
    transform(photograph(0), rng())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (60, 45)])
@pytest.mark.parametrize(
    "transform",
    [pretraining(), training(), training(24), evaluation_transform(48, NORMAL), evaluation_transform(24, NORMAL)],
    ids=["pretraining", "training", "small training", "evaluation", "small evaluation"],
)
def test_any_size_becomes_a_square(transform: Transform, size: Any) -> None:
    tensor = transform(photograph(0).resize(size), rng())
    assert tensor.shape[0] == 3
    assert tensor.shape[1] == tensor.shape[2]
    assert tensor.dtype == torch.float32
    assert type(tensor) is torch.Tensor
    assert bool(torch.isfinite(tensor).all())


def test_evaluation_is_the_middle_at_a_size_that_is_larger_by_a_seventh() -> None:
    picture = photograph(1, width=400, height=256)
    found = evaluation_transform(224, PLAIN)(picture, rng())
    middle = picture.crop((88, 16, 312, 240))
    expected = torch.from_numpy(np.array(middle)).permute(2, 0, 1) / 255
    torch.testing.assert_close(found, expected)


def test_from_384_on_evaluation_cuts_nothing_off_the_short_side() -> None:
    picture = photograph(1, width=384, height=384)
    expected = torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255
    torch.testing.assert_close(evaluation_transform(384, PLAIN)(picture, rng()), expected)


def test_values_are_normalised_as_torchvision_does_it() -> None:
    from torchvision.transforms import v2

    picture = photograph(0, width=24, height=24)
    steps = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(NORMAL.mean, NORMAL.std)]
    expected = v2.Compose(steps)(picture)
    torch.testing.assert_close(evaluation_transform(24, NORMAL)(picture, rng()), expected, rtol=1e-5, atol=1e-5)


def test_values_are_normalised() -> None:
    grey = Image.new("RGB", (40, 40), tuple(round(255 * mean) for mean in NORMAL.mean))
    assert float(evaluation_transform(24, NORMAL)(grey, rng()).abs().max()) < 0.02


def test_erasing_leaves_noise_in_a_rectangle() -> None:
    grey = Image.new("RGB", (64, 64), (124, 116, 104))
    transform = training_transform(48, NORMAL, (0.08, 1.0), None, 1.0)
    noisy = (transform(grey, rng(1)).abs() > 0.1).any(0)
    rows, columns = noisy.any(1).nonzero(), noisy.any(0).nonzero()
    height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
    assert 0.01 < height * width / 48**2 < 0.34
    assert float(noisy[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].float().mean()) > 0.95
    never = training_transform(48, NORMAL, (0.08, 1.0), None, 0.0)
    assert not any(bool((never(grey, rng(seed)).abs() > 0.1).any()) for seed in range(5))


def test_crops_take_the_share_that_they_are_told_to() -> None:
    width = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    ramp = Image.fromarray(np.repeat(width[:, :, None], 3, axis=2))
    spans = []
    for scale in ((0.08, 0.1), (0.9, 1.0)):
        transform = pretraining_transform(32, PLAIN, scale, 0.0)
        tensors = [transform(ramp, rng(seed)) for seed in range(10)]
        spans.append(np.mean([float(tensor.max() - tensor.min()) for tensor in tensors]) * 255 / 200)
    assert 0.2 < spans[0] < 0.4
    assert spans[1] > 0.85


def test_a_strip_is_cut_before_it_is_resized() -> None:
    strip = Image.new("RGB", (2, 90_000))
    assert middle_of_strip(strip).size == (2, 16)
    picture = photograph(0)
    assert middle_of_strip(picture) is picture
