"""Pictures as a vision model reads them, compared with torchvision; a broken one is told."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

import numpy as np
import pytest
import torch

from data2vec_plugin.features.image import MEAN, STD, ImageReader
from data2vec_plugin.features.items import BadItemError, Item

Image = pytest.importorskip("PIL.Image")


def write_picture(path: Path, size: Tuple[int, int], mode: str = "RGB") -> Path:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (size[1] // 4 + 1, size[0] // 4 + 1, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).convert(mode).save(path)
    return path


@pytest.mark.parametrize("size", [(300, 200), (97, 331), (224, 224), (40, 30)])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_the_same_as_torchvisions(tmp_path: Path, size: Tuple[int, int], mode: str) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    path = write_picture(tmp_path / "a.png", size, mode)
    steps = [
        transforms.Resize(73, transforms.InterpolationMode.BICUBIC),  # 256 / 224 of 64
        transforms.CenterCrop(64),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    reader = ImageReader({"input_size": 64}, patch_size=16)
    found = reader.look(Item("a", "a.png", str(path)))
    assert found.size == 1
    torch.testing.assert_close(found.load(), transforms.Compose(steps)(Image.open(path).convert("RGB")))


def test_the_tasks_own_normalisation_and_the_class_token(tmp_path: Path) -> None:
    task = {"input_size": 32, "normalization_mean": [0.5] * 3, "normalization_std": [0.25] * 3}
    reader = ImageReader(task, patch_size=8)
    picture = reader.look(Item("a", "a.png", str(write_picture(tmp_path / "a.png", (50, 40))))).load()
    other = ImageReader({**task, "normalization_mean": [0.0] * 3}, 8)
    torch.testing.assert_close(picture + 2, other.look(Item("a", "", str(tmp_path / "a.png"))).load())
    source, padding = reader.collate([picture, picture])
    assert (source.shape, padding) == ((2, 3, 32, 32), None)
    assert list(range(17))[reader.span(picture, 17)] == list(range(1, 17))
    assert list(range(16))[reader.span(picture, 16)] == list(range(16))
    assert reader.settings() == {"input_size": 32, "mean": [0.5] * 3, "std": [0.25] * 3}


@pytest.mark.parametrize("keep", [0, 60, 400])
def test_broken_pictures_are_told(tmp_path: Path, keep: int) -> None:
    path = write_picture(tmp_path / "a.png", (60, 60))
    path.write_bytes(path.read_bytes()[:keep])
    found = ImageReader({}, 16).look(Item("a", "a.png", str(path)))
    with pytest.raises(BadItemError, match="cannot be read"):
        found.load()
