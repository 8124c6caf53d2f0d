"""A meme's picture as a square of values from 0 to 1, which each model normalises itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from ..image.transforms import MiddlePart, Normalization, ToTensor

MIDDLE, SQUASH = FITS = ("middle", "squash")
PLAIN = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class MemePicture:
    """Makes a picture a square of ``size`` pixels: crops its middle, or squashes all of it, as published code does."""

    def __init__(self, size: int, fit: str = MIDDLE) -> None:
        self.size, self.fit = size, fit
        self.middle, self.to_tensor = MiddlePart(size), ToTensor(PLAIN)

    def __call__(self, picture: Any) -> Tensor:
        """Return an RGB picture as a tensor (3, ``size``, ``size``) of values from 0 to 1."""
        from torchvision.transforms.v2 import InterpolationMode, functional

        rng = np.random.default_rng(0)  # from which nothing is drawn
        if self.fit == SQUASH:
            picture = functional.resize(picture, [self.size, self.size], InterpolationMode.BICUBIC, antialias=True)
        else:
            picture = self.middle(picture, rng)
        return self.to_tensor(picture, rng)
