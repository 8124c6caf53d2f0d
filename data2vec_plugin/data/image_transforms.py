"""What is done to a picture before a model sees it, out of torchvision's transforms.

Chance is torch's, seeded for every picture: what comes out depends on the generator that is given and nothing else.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Iterator, List, Optional, Sequence, Tuple

import torch
from numpy.random import Generator
from torch import Tensor

from .rand_augment import RandAugment, RandAugmentConfig

if TYPE_CHECKING:
    from PIL.Image import Image

Step = Callable[[Any], Any]

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


class Normalize:
    """Bytes (3, H, W) as normalised floats, in two passes over them where torchvision's own steps take five."""

    def __init__(self, normalization: Normalization) -> None:
        self.mean, self.std = (
            255 * torch.tensor(each)[:, None, None] for each in (normalization.mean, normalization.std)
        )

    def __call__(self, image: Tensor) -> Tensor:
        """(image / 255 - mean) / std"""
        return image.to(torch.float32, memory_format=torch.contiguous_format).sub_(self.mean).div_(self.std)


class Transform:
    """Steps from an RGB picture to a normalised tensor (3, size, size)."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)

    def __call__(self, picture: Image, rng: Generator) -> Tensor:
        """The tensor; all that is drawn follows ``rng``, and torch's own generator stays where it was."""
        result: Any = picture
        with torch_follows(rng):
            for step in self.steps:
                result = step(result)
        tensor: Tensor = result
        return tensor


@contextmanager
def torch_follows(rng: Generator) -> Iterator[None]:
    """Within it torch's CPU generator is seeded from ``rng``. That of a GPU, which torch.manual_seed would reach, is
    left alone: dropout draws from it."""
    state = torch.random.get_rng_state()
    torch.random.default_generator.manual_seed(int(rng.integers(2**63)))
    try:
        yield
    finally:
        torch.random.set_rng_state(state)


def pretraining_transform(
    size: int, normalization: Normalization, crop_scale: Sequence[float], color_jitter: float
) -> Transform:
    """Colour jitter, flip, a random part of the picture (section 3.5)."""
    from torchvision.transforms import v2

    steps: List[Step] = [v2.ColorJitter(color_jitter, color_jitter, color_jitter)] if color_jitter else []
    steps += [v2.RandomHorizontalFlip(), _random_part(size, crop_scale), *_to_tensor(normalization)]
    return Transform(steps)


def training_transform(
    size: int,
    normalization: Normalization,
    crop_scale: Sequence[float],
    augment: Optional[RandAugmentConfig],
    erase_prob: float,
) -> Transform:
    """A random part of the picture, flip, RandAugment; of the tensor a rectangle erased by noise."""
    from torchvision.transforms import v2

    crop = v2.RandomCrop(size, SHIFT, pad_if_needed=True) if size <= SMALL else _random_part(size, crop_scale)
    steps: List[Step] = [crop, v2.RandomHorizontalFlip()]
    if augment is not None:
        red, green, blue = (min(round(255 * value), 255) for value in normalization.mean)
        steps.append(RandAugment(augment, (red, green, blue)))
    steps += _to_tensor(normalization)
    if erase_prob:
        steps.append(v2.RandomErasing(erase_prob, scale=(0.02, 1 / 3), ratio=(0.3, 1 / 0.3), value="random"))
    return Transform(steps)


def evaluation_transform(size: int, normalization: Normalization) -> Transform:
    """The shorter side resized, the middle of the picture."""
    from torchvision.transforms import v2

    shorter = int(size / CROPPED) if SMALL < size < 384 else size
    resize = v2.Resize(shorter, interpolation=v2.InterpolationMode.BICUBIC, antialias=True)
    return Transform([middle_of_strip, resize, v2.CenterCrop(size), *_to_tensor(normalization)])


def _random_part(size: int, scale: Sequence[float]) -> Step:
    from torchvision.transforms import v2

    bicubic = v2.InterpolationMode.BICUBIC
    part: Step = v2.RandomResizedCrop(size, scale=tuple(scale), interpolation=bicubic, antialias=True)
    return part


def _to_tensor(normalization: Normalization) -> List[Step]:
    from torchvision.transforms import v2

    return [v2.PILToTensor(), Normalize(normalization)]


def middle_of_strip(picture: Image) -> Image:
    """The middle of a picture that is many times as long as wide, which would be huge once its short side is resized.

    Only a square of it is going to be kept.
    """
    width, height = picture.size
    longest = 8 * min(width, height)
    if max(width, height) <= longest:
        return picture
    left, top = max(width - longest, 0) // 2, max(height - longest, 0) // 2
    return picture.crop((left, top, width - left, height - top))
