"""Pictures as the vision model reads them in evaluation: shorter side resized, centre cut out, channels normalised."""

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
            raise ValueError("pictures are read with torchvision, which `data2vec doctor` says how to install")
        self.size = size
        self.normalization = Normalization.of_checkpoint(task)
        self.transform = evaluation_transform(size, self.normalization)

    def settings(self) -> Dict[str, object]:
        """Size and normalisation."""
        return {"input_size": self.size, "mean": list(self.normalization.mean), "std": list(self.normalization.std)}

    def look(self, item: Item) -> Input:
        """All pictures become one size, so there is nothing to look at before they are read."""
        return Input(item, 1, partial(self._load, item))

    def take(self, value: object, item: Item) -> Input:
        """A picture of Pillow's, bytes (H, W, 3) or (H, W), or a file's path; raises :class:`BadItemError`."""
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
            raise BadItemError(f"is a {type(value).__name__}; expected a picture (Pillow's or an array) or a path")
        return Input(item, 1, partial(self._converted, value, item))

    def _load(self, item: Item) -> Tensor:
        """The picture (3, size, size); raises :class:`BadItemError` if it cannot be read."""
        try:
            picture = decode(read_picture(item.source), item.source)
        except UnusableFileError as error:
            raise BadItemError(error.fault) from error
        return self._prepared(picture)

    def _converted(self, opened: Image, item: Item) -> Tensor:
        """A picture of Pillow's -> (3, size, size); raises :class:`BadItemError` if it cannot be read."""
        try:
            opened.load()
            picture = as_rgb(opened, item.place)
        except UnusableFileError as error:
            raise BadItemError(error.fault) from error
        except OSError as error:
            raise BadItemError(f"cannot be read ({error})") from error
        return self._prepared(picture)

    def _prepared(self, picture: Any) -> Tensor:
        return self.transform(picture, np.random.default_rng(0))  # from which evaluation draws nothing

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Pictures (3, H, W) -> (B, 3, H, W); nothing is padded."""
        return torch.stack(rows), None

    def span(self, row: Tensor, width: int) -> slice:
        """All patches, row by row; the model's class token has left already."""
        return slice(width)

    def remarks(self) -> List[str]:
        """None."""
        return []
