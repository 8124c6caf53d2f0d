"""Random steps: as torchvision draws and does them, but from a generator of their own."""

from __future__ import annotations

from typing import Any, List

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision")

from images import photograph
from PIL import Image
from torchvision.transforms import v2

from data2vec_plugin.data.image.random_steps import ColorJitter, Erase, Flip, RandomPart, ShiftedPart

DRAWS = 1_500


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def array(picture: Image.Image) -> Any:
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (40, 200), (9, 9)])
def test_parts_are_spread_as_torchvisions(height: int, width: int) -> None:
    torch.manual_seed(0)
    stock = v2.RandomResizedCrop(8, scale=(0.08, 1.0))
    image = torch.zeros(3, height, width)
    draw: Any = getattr(stock, "make_params", None) or getattr(stock, "_get_params", None)
    theirs: List[Any] = [draw([image]) for _ in range(DRAWS)]
    expected = np.array([[each[key] for key in ("top", "left", "height", "width")] for each in theirs])
    generator = rng()
    part = RandomPart(8, (0.08, 1.0))
    found = np.array([part.box(height, width, generator) for _ in range(DRAWS)])
    assert (found[:, 0] + found[:, 2]).max() <= height
    assert (found[:, 1] + found[:, 3]).max() <= width
    error = 4 * expected.std(0) / np.sqrt(DRAWS / 2) + 0.05
    assert (np.abs(found.mean(0) - expected.mean(0)) < error).all()
    assert (np.abs(found.std(0) - expected.std(0)) < error).all()


def test_where_no_part_fits_the_middle_is_taken() -> None:
    assert RandomPart(8, (1.0, 1.0)).box(100, 10, rng()) == (43, 0, 13, 10)
    assert RandomPart(8, (1.0, 1.0)).box(10, 100, rng()) == (0, 43, 10, 13)
    assert RandomPart(8, (0.08, 1.0)).box(1, 1, rng()) == (0, 0, 1, 1)


def test_jitter_stays_within_its_bounds_and_varies() -> None:
    picture = Image.new("RGB", (8, 8), (100, 100, 100))  # of one grey: contrast and saturation leave it as it is
    generator = rng()
    values = [array(ColorJitter(0.4)(picture, generator))[0, 0, 0] for _ in range(200)]
    assert 59 <= min(values) < 66
    assert 134 < max(values) <= 140
    colorful = photograph(0)
    assert len({array(ColorJitter(0.4)(colorful, generator)).tobytes() for _ in range(5)}) == 5
    assert np.array_equal(array(ColorJitter(0.0)(colorful, generator)), array(colorful))


@pytest.mark.parametrize(("probability", "least", "most"), [(0.5, 75, 125), (0.0, 0, 0), (1.0, 200, 200)])
def test_a_share_of_the_pictures_is_mirrored(probability: float, least: int, most: int) -> None:
    picture = photograph(1)
    generator = rng()
    mirrored = [array(Flip(probability)(picture, generator)) for _ in range(200)]
    count = sum(np.array_equal(each, array(picture)[:, ::-1]) for each in mirrored)
    assert least <= count <= most
    assert count + sum(np.array_equal(each, array(picture)) for each in mirrored) == 200


@pytest.mark.parametrize("size", [(24, 24), (30, 26), (5, 40), (1, 1)])
def test_small_pictures_are_shifted(size: Any) -> None:
    white = Image.new("RGB", size, (255, 255, 255))
    generator = rng()
    shifted = [array(ShiftedPart(24, 4)(white, generator)) for _ in range(30)]
    assert {each.shape for each in shifted} == {(24, 24, 3)}
    if size == (24, 24):
        black = [int((each[12] == 0).all(1).sum()) for each in shifted]
        assert (min(black), max(black)) == (0, 4)


def test_a_quarter_of_the_images_gets_a_rectangle_of_noise() -> None:
    generator = rng()
    erase = Erase(0.25)
    images = [erase(torch.full((3, 40, 40), 9.0), generator) for _ in range(400)]
    shares = [float((image != 9).any(0).float().mean()) for image in images]
    hit = [share for share in shares if share]
    assert 65 < len(hit) < 135
    assert 0.01 < min(hit) < max(hit) < 0.36
    noise = torch.cat([image[image != 9] for image in images])
    assert abs(float(noise.mean())) < 0.02
    assert abs(float(noise.std()) - 1) < 0.02
