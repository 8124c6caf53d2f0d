"""Pictures as the vision model reads them: shorter side resized, centre cut out, channels normalised."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .items import BadItemError, Input, Item

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, which upstream's tasks default to."""
RESIZED = 256 / 224
"""The shorter side before the centre is cut out, as a share of it."""


class ImageReader:
    """Files that Pillow reads, as (3, ``input_size``, ``input_size``)."""

    unit = "images"
    default_batch = 32.0
    sizes_per_unit = 1

    def __init__(self, task: Mapping[str, Any], patch_size: int) -> None:
        if find_spec("PIL") is None:
            raise ValueError("pictures are read with Pillow: pip install pillow")
        self.input_size = int(task.get("input_size") or 224)
        self.mean = torch.tensor(tuple(task.get("normalization_mean") or MEAN)).view(3, 1, 1)
        self.std = torch.tensor(tuple(task.get("normalization_std") or STD)).view(3, 1, 1)
        self.patches = (self.input_size // patch_size) ** 2

    def settings(self) -> Dict[str, object]:
        """Size and normalisation."""
        mean, std = (values.flatten().tolist() for values in (self.mean, self.std))
        return {"input_size": self.input_size, "mean": mean, "std": std}

    def look(self, item: Item) -> Input:
        """All pictures are of one size, so there is nothing to look at before they are read."""
        return Input(item, 1, partial(self._load, item))

    def _load(self, item: Item) -> Tensor:
        """The picture (3, H, W); raises :class:`BadItemError` if it cannot be read."""
        from PIL import Image

        try:
            with Image.open(item.source) as file:
                pixels = centre(file.convert("RGB"), self.input_size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise BadItemError(f"cannot be read ({error})") from error
        return (torch.from_numpy(pixels).permute(2, 0, 1) / 255 - self.mean) / self.std

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Pictures (3, H, W) -> (B, 3, H, W); nothing is padded."""
        return torch.stack(rows), None

    def span(self, row: Tensor, width: int) -> slice:
        """The patches, row by row; a class token stands before them."""
        return slice(width - self.patches, width)

    def remarks(self) -> List[str]:
        """None."""
        return []


def centre(picture: Any, size: int) -> NDArray[np.uint8]:
    """A Pillow picture -> its centre (``size``, ``size``, 3) as bytes, after its shorter side was resized (bicubic)."""
    from PIL import Image

    width, height = picture.size
    short = round(size * RESIZED)
    wide, high = (int(short * side / min(width, height)) for side in (width, height))
    picture = picture.resize((wide, high), Image.Resampling.BICUBIC)
    left, top = round((wide - size) / 2), round((high - size) / 2)
    return np.array(picture.crop((left, top, left + size, top + size)))
