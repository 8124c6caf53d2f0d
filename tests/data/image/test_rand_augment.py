"""RandAugment: its setting read without running it, and operations as strong as they should be."""

from __future__ import annotations

from typing import Any, List

import numpy as np
import pytest

pytest.importorskip("PIL")

from images import photograph
from PIL import Image

from data2vec_plugin.data.image.rand_augment import OPERATIONS, RandAugment, RandAugmentConfig, parse_rand_augment

GREY = (124, 116, 104)


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """Every value of grey from left to right."""
    row = np.linspace(0, 255, width).astype(np.uint8)
    return Image.fromarray(np.repeat(np.tile(row, (height, 1))[:, :, None], 3, axis=2))


def array(picture: Image.Image) -> Any:
    return np.asarray(picture).astype(int)


def test_the_usual_setting() -> None:
    assert parse_rand_augment("rand-m9-mstd0.5-inc1") == RandAugmentConfig(9.0, 0.5, 2, 0.5)
    assert parse_rand_augment("rand-m7-n3-p1-inc1") == RandAugmentConfig(7.0, 0.0, 3, 1.0)
    assert parse_rand_augment("none") is parse_rand_augment("") is parse_rand_augment(None) is None


@pytest.mark.parametrize(
    "text", ["rand-m9-mstd0.5", "rand-m9-inc0", "augmix-m5", "rand-m11-inc1", "rand-x3-inc1", "__import__('os')", "m9"]
)
def test_any_other_setting_is_told(text: str) -> None:  # B23
    with pytest.raises(ValueError, match=r"`task\.auto_augment` (is|has)"):
        parse_rand_augment(text)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: str(operation.__name__))
@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 48)])
def test_every_operation_keeps_size_and_mode(operation: Any, size: Any) -> None:
    picture = photograph(1).resize(size)
    for strength in (0.0, 0.9, 1.0):
        changed = operation(picture, strength, GREY, np.random.default_rng(0))
        assert (changed.size, changed.mode) == (size, "RGB")


def by_name(name: str, strength: float, picture: Image.Image | None = None, seed: int = 0) -> Any:
    operation = next(each for each in OPERATIONS if each.__name__ == name)
    return array(operation(picture or gradient(), strength, GREY, np.random.default_rng(seed)))


def test_there_are_fifteen_operations() -> None:
    assert len(OPERATIONS) == len({(each.__name__, each.__doc__) for each in OPERATIONS}) == 15


def test_levels_mean_what_they_mean_elsewhere() -> None:
    whole = array(gradient())
    assert len(np.unique(by_name("posterize", 0.9))) == 2  # one bit
    assert len(np.unique(by_name("posterize", 0.2))) == 16  # four bits
    threshold = 256 - int(256 * 0.9)
    assert np.array_equal(by_name("solarize", 0.9), np.where(whole < threshold, whole, 255 - whole))
    assert np.array_equal(by_name("solarize_add", 0.9), np.where(whole < 128, np.minimum(whole + 99, 255), whole))
    assert np.array_equal(by_name("invert", 0.1), 255 - whole)


def test_shifts_go_either_way_and_leave_the_fill_bare() -> None:
    found: List[Any] = [by_name("translate_x", 1.0, seed=seed) for seed in range(8)]
    bare = round(0.45 * 64)
    left = [picture for picture in found if picture[5, 0].tolist() == list(GREY)]
    right = [picture for picture in found if picture[5, -1].tolist() == list(GREY)]
    assert left
    assert right
    assert len(left) + len(right) == 8
    for picture in left:
        assert abs(int((picture[5] == GREY).all(1).sum()) - bare) <= 1


@pytest.mark.parametrize("number", range(4))
def test_enhancements_are_by_a_factor_of_a_tenth_to_nearly_two(number: int) -> None:
    operation = [each for each in OPERATIONS if each.__name__ == "enhance"][number]
    picture = photograph(2)
    changes = set()
    for seed in range(8):
        changes.add(array(operation(picture, 1.0, GREY, np.random.default_rng(seed))).tobytes())
    assert len(changes) == 2  # more and less


def test_two_of_them_each_every_other_time() -> None:
    rng = np.random.default_rng(0)
    augment = RandAugment(RandAugmentConfig(), GREY)
    picture = photograph(3)
    same = sum(np.array_equal(array(augment(picture, rng)), array(picture)) for _ in range(200))
    assert 30 < same < 75  # a quarter; some operations may leave a picture as it is


def test_no_probability_no_change() -> None:
    picture = photograph(3)
    assert RandAugment(RandAugmentConfig(probability=0), GREY)(picture, np.random.default_rng(0)) is picture
