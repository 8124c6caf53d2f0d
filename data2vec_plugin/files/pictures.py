"""Encoded pictures of any kind as RGB."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

ORIENTATION = 0x0112
"""EXIF's tag that says how a camera was held."""
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's names for grey pictures of more than 8 bits."""
WHITE = (255, 255, 255, 255)


def decode(data: bytes) -> Image:
    """An upright RGB picture out of an encoded one; of an animation the first frame.

    What is transparent is laid over white; 16 bits become 8. Raises OSError for what is no picture, or is cut
    short, and ValueError for a kind that has no colours.
    """
    from PIL import Image

    opened = Image.open(BytesIO(data))
    opened.load()
    image = _upright(opened)
    if image.mode in DEEP_MODES:
        return _shallow(image).convert("RGB")
    if image.mode == "F":
        raise ValueError("holds floating point numbers, whose range is not known; expected integers")
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _upright(image: Image) -> Image:
    """Turned as EXIF says. Where that cannot be read, the picture is taken as it is, as viewers do."""
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(ORIENTATION, 1)
    except Exception:  # whatever a broken header makes Pillow raise; the picture itself has been read
        return image
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _shallow(image: Image) -> Image:
    """8 bits of 16."""
    from PIL import Image

    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise ValueError(f"holds values from {values.min()} to {values.max()}; expected at most 16 bits")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))
