"""Transforms from a picture to a model's input. All random draws use the given generator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Sequence, Tuple

import torch
from numpy.random import Generator
from torch import Tensor

from .rand_augment import RandAugment, RandAugmentConfig
from .random_steps import ColorJitter, Erase, Flip, RandomPart, ShiftedPart

if TYPE_CHECKING:
    from PIL.Image import Image

Step = Callable[[Any, Generator], Any]

SMALL = 32
"""Pictures of at most this size are shifted instead of cropped at random, and not cropped when they are evaluated."""
SHIFT = 4
CROPPED = 224 / 256
"""Share of the shorter side that evaluation keeps, below a size of 384."""


@dataclass(frozen=True)
class Normalization:
    """Mean and deviation of the channels, of values from 0 to 1."""

    mean: Tuple[float, ...] = (0.485, 0.456, 0.406)
    std: Tuple[float, ...] = (0.229, 0.224, 0.225)

    @classmethod
    def of_checkpoint(cls, task: Mapping[str, Any]) -> Normalization:
        """Return the values in a checkpoint's task, or ImageNet's where it has none."""
        mean, std = (task.get(f"normalization_{name}") for name in ("mean", "std"))
        return cls(tuple(mean or cls.mean), tuple(std or cls.std))


class Transform:
    """Steps from an RGB picture to a normalised tensor (3, size, size)."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)

    def __call__(self, picture: Image, rng: Generator) -> Tensor:
        """Return the tensor (3, size, size)."""
        result: Any = picture
        for step in self.steps:
            result = step(result, rng)
        tensor: Tensor = result
        return tensor


def pretraining_transform(
    size: int, normalization: Normalization, crop_scale: Sequence[float], color_jitter: float, flip_prob: float = 0.5
) -> Transform:
    """Colour jitter, flip, a random part of the picture (section 3.5)."""
    jitter: List[Step] = [ColorJitter(color_jitter)] if color_jitter else []
    return Transform([*jitter, Flip(flip_prob), RandomPart(size, crop_scale), ToTensor(normalization)])


def training_transform(
    size: int,
    normalization: Normalization,
    crop_scale: Sequence[float],
    augment: Optional[RandAugmentConfig],
    erase_prob: float,
    flip_prob: float = 0.5,
) -> Transform:
    """A random part of the picture, flip, RandAugment, and a rectangle replaced by noise."""
    part: Step = ShiftedPart(size, SHIFT) if size <= SMALL else RandomPart(size, crop_scale)
    steps: List[Step] = [part, Flip(flip_prob)]
    if augment is not None:
        red, green, blue = (min(round(255 * value), 255) for value in normalization.mean)
        steps.append(RandAugment(augment, (red, green, blue)))
    steps.append(ToTensor(normalization))
    if erase_prob:
        steps.append(Erase(erase_prob))
    return Transform(steps)


def evaluation_transform(size: int, normalization: Normalization) -> Transform:
    """The middle of the picture, after its shorter side is resized."""
    return Transform([MiddlePart(size), ToTensor(normalization)])


class Squeezed:
    """The whole picture as a square, whatever its sides."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """A picture of ``size`` by ``size``; nothing is drawn."""
        from torchvision.transforms.v2 import InterpolationMode, functional

        picture = middle_of_strip(picture)
        return functional.resize(picture, [self.size, self.size], InterpolationMode.BILINEAR, antialias=True)


class MiddlePart:
    """The middle of a picture, as a square."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.shorter = int(size / CROPPED) if SMALL < size < 384 else size

    def __call__(self, picture: Image, rng: Generator) -> Image:
        """A picture of ``size`` by ``size``; nothing is drawn."""
        from torchvision.transforms.v2 import InterpolationMode, functional

        picture = middle_of_strip(picture)
        resized = functional.resize(picture, [self.shorter], InterpolationMode.BICUBIC, antialias=True)
        return functional.center_crop(resized, [self.size, self.size])


def middle_of_strip(picture: Image) -> Image:
    """Crop a picture to its middle if it is over eight times as long as wide: resized, it would be huge.

    Only a square of it is used afterwards.
    """
    width, height = picture.size
    longest = 8 * min(width, height)
    if max(width, height) <= longest:
        return picture
    left, top = max(width - longest, 0) // 2, max(height - longest, 0) // 2
    return picture.crop((left, top, width - left, height - top))


class ToTensor:
    """Converts a picture to normalised floats. Reads the pixels twice; torchvision's own steps read them five times."""

    def __init__(self, normalization: Normalization) -> None:
        self.mean = 255 * torch.tensor(normalization.mean)[:, None, None]
        self.std = 255 * torch.tensor(normalization.std)[:, None, None]

    def __call__(self, picture: Image, rng: Generator) -> Tensor:
        """(picture / 255 - mean) / std as (3, H, W); nothing is drawn."""
        from torchvision.transforms.v2 import functional

        image: Tensor = functional.pil_to_tensor(picture)
        return image.to(torch.float32, memory_format=torch.contiguous_format).sub_(self.mean).div_(self.std)
