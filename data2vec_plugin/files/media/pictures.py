"""The only module that opens pictures: files in the formats that are listed here, as RGB."""

from __future__ import annotations

import os
from io import BytesIO
from typing import TYPE_CHECKING, Union

import numpy as np

from ..opening import opened, said_size, size_of, unreadable
from ..unusable import UnusableFileError

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp", ".gif")
"""Endings of pictures, in either case; the format is determined by their content."""
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")
"""Pillow's names of these formats. Its others, about forty, are not allowed; for one, it starts Ghostscript."""
UNREAD = dict.fromkeys(
    (
        *(".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".jfif", ".pbm", ".pnm", ".tga", ".ico", ".svg", ".eps"),
        *(".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf", ".rw2", ".exr", ".hdr", ".dcm"),
    ),
    "an unsupported image format (convert it to JPEG or PNG)",
)
"""For ``others`` of a walk: endings of pictures that are not listed."""

ORIENTATION = 0x0112
"""EXIF's tag that says how a camera was held."""
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's names for grey pictures of more than 8 bits."""
TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
OPAQUE_MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV")
WHITE = (255, 255, 255, 255)

LARGEST_FILE = 512 << 20
PIXELS_IN_A_BYTE = 20
ALWAYS_ALLOWED = 24 << 20
"""Pixels that any file may hold, 96 MiB as RGB; above, 20 for each of its bytes. Photographs have one to ten."""


def read_picture(path: Union[str, os.PathLike[str]]) -> bytes:
    """Read a picture file's bytes; raises :class:`UnusableFileError` if it is too large, or not a regular file."""
    with opened(path) as file:
        size = size_of(file)
        if size > LARGEST_FILE:
            raise UnusableFileError.of(path, f"has {said_size(size)}; expected at most {said_size(LARGEST_FILE)}")
        try:
            return file.read(size)
        except OSError as error:
            raise unreadable(path, error) from error


def decode(data: bytes, name: str) -> Image:
    """Decode a picture to upright RGB; of an animation, the first frame.

    Transparent areas become white, and 16 bits become 8. Raises :class:`UnusableFileError`, with ``name``, for a
    picture that is not in one of :data:`FORMATS`, is truncated, claims more pixels than it can hold, or has another
    colour mode.
    """
    return as_rgb(_decoded(data, name), name)


def as_rgb(image: Image, name: str) -> Image:
    """Convert any picture of Pillow's as :func:`decode` does; raises UnusableFileError for another colour mode."""
    image = _upright(image)
    if image.mode in DEEP_MODES:
        return _shallow(image, name).convert("RGB")
    if image.mode == "F":
        raise UnusableFileError.of(name, "holds floating point numbers, whose range is not known; expected integers")
    if image.mode in TRANSPARENT_MODES or "transparency" in image.info:
        return _over_white(image)
    if image.mode not in OPAQUE_MODES:
        raise UnusableFileError.of(name, f"has colour mode {image.mode}; expected {', '.join(OPAQUE_MODES)}")
    return image if image.mode == "RGB" else image.convert("RGB")


def _decoded(data: bytes, name: str) -> Image:
    """Decode a picture by Pillow; only Pillow runs within the ``try``, since its decoders raise errors of all kinds."""
    from PIL import Image

    try:
        picture = Image.open(BytesIO(data), formats=FORMATS)
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        shown = "not an image in a supported format" if isinstance(error, Image.UnidentifiedImageError) else error
        raise UnusableFileError.of(name, f"cannot be read ({shown})") from error
    if picture.width * picture.height > max(ALWAYS_ALLOWED, PIXELS_IN_A_BYTE * len(data)):
        raise UnusableFileError.of(
            name, f"claims {picture.width:,} x {picture.height:,} pixels, but the file has {said_size(len(data))}"
        )
    try:
        picture.load()
    except (ImportError, MemoryError):
        raise
    except Exception as error:
        raise UnusableFileError.of(name, f"cannot be read ({error})") from error
    return picture


def _over_white(image: Image) -> Image:
    from PIL import Image

    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")


def _upright(image: Image) -> Image:
    """Turn a picture as its EXIF says. If that cannot be read, the picture is unchanged, as in viewers."""
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


def _shallow(image: Image, name: str) -> Image:
    """Convert 16 bits to 8; raises UnusableFileError for values of more than 16 bits."""
    from PIL import Image

    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise UnusableFileError.of(
            name, f"holds values from {values.min()} to {values.max()}; expected at most 16 bits"
        )
    rounded = values.astype(np.uint32)
    rounded += 128
    rounded //= 257
    return Image.fromarray(rounded.astype(np.uint8))
