"""Random steps from an image to a tensor, drawn from a given generator.

torchvision's own steps use torch's global generator, as the model does: fairseq fills its buffer in a thread parallel
to training, so neither's random numbers would be reproducible. The operations themselves are torchvision's.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Sequence, Tuple

import torch
from numpy.random import Generator
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image

Box = Tuple[int, int, int, int]
"""Top, left, height, width."""

TRIES = 10
"""How often a rectangle is drawn until one fits."""
ASPECT = (3 / 4, 4 / 3)
"""Width over height of a random part."""
ERASED_SHARE = (0.02, 1 / 3)
ERASED_ASPECT = (0.3, 1 / 0.3)


class ColorJitter:
    """Multiplies brightness, contrast and saturation by factors within 1 ± ``strength``, in random order."""

    def __init__(self, strength: float) -> None:
        self.bounds = max(1 - strength, 0), 1 + strength

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """A picture of the same size."""
        from torchvision.transforms.v2 import functional

        adjust = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation)
        for number in rng.permutation(len(adjust)):
            picture = adjust[number](picture, rng.uniform(*self.bounds))
        return picture


class Flip:
    """Mirrors a picture left to right with ``probability``."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """A picture of the same size."""
        from torchvision.transforms.v2 import functional

        return functional.horizontal_flip(picture) if rng.random() < self.probability else picture


class RandomPart:
    """A part of a picture whose share of the area is between the two values of ``scale``, resized to a square."""

    def __init__(self, size: int, scale: Sequence[float]) -> None:
        self.size = size
        self.scale = tuple(scale)

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """A picture of ``size`` by ``size``."""
        from torchvision.transforms.v2 import InterpolationMode, functional

        box = self.box(picture.height, picture.width, rng)
        size = [self.size, self.size]
        return functional.resized_crop(picture, *box, size, InterpolationMode.BICUBIC, antialias=True)

    def box(self, height: int, width: int, rng: Generator) -> Box:
        """Draw a part that fits; if none does, return the largest central part with an allowed aspect."""
        for _ in range(TRIES):
            rows, columns = sides(height * width, self.scale, ASPECT, rng)
            if 0 < rows <= height and 0 < columns <= width:
                return (*corner(height, width, rows, columns, rng), rows, columns)
        aspect = min(max(width / height, ASPECT[0]), ASPECT[1])
        rows, columns = min(height, round(width / aspect)), min(width, round(height * aspect))
        return (height - rows) // 2, (width - columns) // 2, max(rows, 1), max(columns, 1)


class ShiftedPart:
    """A random square of a picture with a black margin of at least ``margin`` pixels, for small pictures."""

    def __init__(self, size: int, margin: int) -> None:
        self.size = size
        self.margin = margin

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """A picture of ``size`` by ``size``."""
        from torchvision.transforms.v2 import functional

        across, down = (max(self.margin, self.size - side) for side in picture.size)
        padded = functional.pad(picture, [across, down])
        top, left = corner(padded.height, padded.width, self.size, self.size, rng)
        return functional.crop(padded, top, left, self.size, self.size)


class Erase:
    """Replaces a rectangle by noise with ``probability``, another value for every pixel and channel."""

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def __call__(self, image: Tensor, rng: Generator) -> Tensor:
        """A normalised image (C, H, W), changed in place."""
        if rng.random() >= self.probability:
            return image
        channels, height, width = image.shape
        for _ in range(TRIES):
            rows, columns = sides(height * width, ERASED_SHARE, ERASED_ASPECT, rng)
            if 0 < rows < height and 0 < columns < width:
                top, left = corner(height, width, rows, columns, rng)
                noise = rng.standard_normal((channels, rows, columns), dtype="float32")
                image[:, top : top + rows, left : left + columns] = torch.from_numpy(noise)
                break
        return image


def sides(area: int, share: Sequence[float], aspect: Sequence[float], rng: Generator) -> Tuple[int, int]:
    """Draw height and width of a rectangle by its share of ``area`` and its aspect, the latter on a log scale."""
    target = area * rng.uniform(share[0], share[1])
    ratio = math.exp(rng.uniform(math.log(aspect[0]), math.log(aspect[1])))
    return round(math.sqrt(target / ratio)), round(math.sqrt(target * ratio))


def corner(height: int, width: int, rows: int, columns: int, rng: Generator) -> Tuple[int, int]:
    """Draw top and left of a rectangle within another."""
    return int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
