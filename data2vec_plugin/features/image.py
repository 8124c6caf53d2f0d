"""Images as the vision model reads them in evaluation: shorter side resized, centre crop, channels normalised."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from ..data.image.transforms import Normalization, evaluation_transform
from ..files.media.pictures import as_rgb, decode, read_picture
from ..files.unusable import UnusableFileError
from .items import BadItemError, Input, Item

if TYPE_CHECKING:
    from PIL.Image import Image


class ImageReader:
    """Files that Pillow reads, as (3, ``size``, ``size``)."""

    unit = "images"
    default_batch = 32.0
    sizes_per_unit = 1

    def __init__(self, task: Mapping[str, Any], size: int) -> None:
        if find_spec("torchvision") is None:
            raise ValueError("images require torchvision; `data2vec doctor` prints how to install it")
        self.size = size
        self.normalization = Normalization.of_checkpoint(task)
        self.transform = evaluation_transform(size, self.normalization)

    def settings(self) -> Dict[str, object]:
        """Size and normalisation."""
        return {"input_size": self.size, "mean": list(self.normalization.mean), "std": list(self.normalization.std)}

    def look(self, item: Item) -> Input:
        """All images are resized to one size, so nothing has to be examined before they are read."""
        return Input(item, 1, partial(self._load, item))

    def take(self, value: object, item: Item) -> Input:
        """A Pillow image, bytes (H, W, 3) or (H, W), or a file's path; raises :class:`BadItemError`."""
        from PIL import Image as Pillow

        if isinstance(value, (str, os.PathLike)):
            return self.look(replace(item, source=os.fspath(value)))
        if isinstance(value, Tensor):
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ndarray):
            grey_or_rgb = value.ndim == 2 or (value.ndim == 3 and value.shape[2] == 3)
            if value.dtype != np.uint8 or not grey_or_rgb or 0 in value.shape:
                raise BadItemError(
                    f"has shape {value.shape} of {value.dtype}; expected uint8 of (height, width, 3) or (height, width)"
                )
            value = Pillow.fromarray(value)
        if not isinstance(value, Pillow.Image):
            raise BadItemError(f"is a {type(value).__name__}; expected an image (Pillow's or an array) or a path")
        return Input(item, 1, partial(self._converted, value, item))

    def _load(self, item: Item) -> Tensor:
        """The image (3, size, size); raises :class:`BadItemError` if it cannot be read."""
        try:
            picture = decode(read_picture(item.source), item.source)
        except UnusableFileError as error:
            raise BadItemError(error.fault) from error
        return self._prepared(picture)

    def _converted(self, opened: Image, item: Item) -> Tensor:
        """A Pillow image -> (3, size, size); raises :class:`BadItemError` if it cannot be read."""
        try:
            opened.load()
            picture = as_rgb(opened, item.place)
        except UnusableFileError as error:
            raise BadItemError(error.fault) from error
        except OSError as error:
            raise BadItemError(f"cannot be read ({error})") from error
        return self._prepared(picture)

    def _prepared(self, picture: Any) -> Tensor:
        return self.transform(picture, np.random.default_rng(0))  # evaluation does not use it

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Images (3, H, W) -> (B, 3, H, W); nothing is padded."""
        return torch.stack(rows), None

    def span(self, row: Tensor, width: int) -> slice:
        """All patches, row by row; the model's class token has been removed already."""
        return slice(width)

    def remarks(self) -> List[str]:
        """None."""
        return []
