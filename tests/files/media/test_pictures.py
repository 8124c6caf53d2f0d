"""Whatever is in a file becomes upright RGB of 8 bits, or is refused."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

pytest.importorskip("PIL")

from images import encoded, photograph
from PIL import Image

from data2vec_plugin.files.media.pictures import decode, read_picture
from data2vec_plugin.files.unusable import UnusableFileError


def pixels(data: bytes) -> Any:
    picture = decode(data, "a.jpg")
    assert picture.mode == "RGB"
    return np.asarray(picture).astype(int)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "RGB", "LA", "RGBA"])
@pytest.mark.parametrize("kind", ["TIFF", "PNG", "JPEG"])
def test_every_mode_becomes_rgb(mode: str, kind: str) -> None:
    supported = {"PNG": mode != "CMYK", "JPEG": mode in ("L", "CMYK", "RGB"), "TIFF": True}
    if not supported[kind]:
        pytest.skip(f"{kind} has no {mode}")
    image = photograph(0).convert(mode)
    found = pixels(encoded(image, kind))
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(found - expected).mean() < (12 if kind == "JPEG" else 0.01)


def test_what_is_transparent_is_laid_over_white() -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    assert pixels(encoded(image, "PNG")).tolist() == [[[255, 0, 0], [255, 255, 255]]]
    for grey in (image.convert("LA"), image.convert("LA").convert("RGBA")):
        assert pixels(encoded(grey, "PNG"))[0, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_color_is_laid_over_white(mode: str) -> None:
    image = Image.new("RGB", (2, 1), (10, 10, 10))
    image.putpixel((0, 0), (200, 200, 200))
    image = image.quantize(2) if mode == "P" else image.convert(mode)
    dark = {"P": image.getpixel((1, 0)), "L": 10, "RGB": (10, 10, 10)}[mode]
    assert pixels(encoded(image, "PNG", transparency=dark)).tolist() == [[[200] * 3, [255] * 3]]


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_become_eight(kind: str) -> None:
    values = np.array([[0, 257 * 100, 65535]], dtype=np.uint16)
    found = pixels(encoded(Image.fromarray(values), kind))
    assert found[0, :, 0].tolist() == [0, 100, 255]


def test_values_of_unknown_range_are_refused() -> None:
    for value, kind, fault in ((0.5, "float32", "floating"), (70_000, "int32", "16 bits")):
        values = np.array([[value]], dtype=kind)
        with pytest.raises(ValueError, match=fault):
            decode(encoded(Image.fromarray(values), "TIFF"), "a.tif")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_the_camera_says(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    first: Callable[[Any], Any] = {1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud}.get(
        orientation, lambda a: {5: a.T, 6: np.rot90(a, -1), 7: np.rot90(a, 2).T, 8: np.rot90(a, 1)}[orientation]
    )
    found = pixels(encoded(Image.fromarray(stored), "PNG", exif=exif))
    assert found[:, :, 0].tolist() == first(stored).tolist()


def test_a_broken_exif_header_does_not_cost_the_picture() -> None:
    broken = b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff"
    assert pixels(encoded(photograph(1), exif=broken)).shape == (45, 60, 3)
    assert pixels(encoded(photograph(1), exif=b"Exif\x00\x00nonsense")).shape == (45, 60, 3)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ((255, 0, 0), (0, 0, 255))]
    found = pixels(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert found[2, 2, 0] > 200 > 50 > found[2, 2, 2]


def test_one_pixel_is_a_picture() -> None:
    assert pixels(encoded(Image.new("L", (1, 1), 7), "PNG")).tolist() == [[[7, 7, 7]]]


def test_what_is_no_picture_is_refused() -> None:
    for data in (b"", b"this is no picture"):
        with pytest.raises(UnusableFileError, match=r"a\.jpg: cannot be read \(not an image in a"):
            decode(data, "a.jpg")
    with pytest.raises(UnusableFileError, match="truncated"):
        decode(encoded(photograph(0))[:900], "a.jpg")


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n0 0 32 32 rectfill\nshowpage\n%%EOF\n"


def test_no_interpreter_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostScript file by the name of a picture; a stand-in for Ghostscript notes that it was started."""
    stand_in = tmp_path / "gs"
    stand_in.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\nexit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(UnusableFileError, match="not an image in a supported format"):
        decode(POSTSCRIPT, "cat.jpg")
    assert not (tmp_path / "started").exists()


def test_more_pixels_than_a_file_can_hold_are_not_decoded() -> None:
    bomb = encoded(Image.new("1", (12_000, 12_000)), "TIFF", compression="group4")
    for size in ((9_000, 9_000), (60_000, 60_000)):
        data = encoded(Image.new("L", (1, 1)), "PNG")
        header = b"IHDR" + struct.pack(">II", *size) + data[24:29]
        data = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
        with pytest.raises(UnusableFileError, match=r"a\.png: (claims 9,000 x 9,000 pixels, but the file has|.*bomb)"):
            decode(data, "a.png")
    with pytest.raises(UnusableFileError, match=r"a\.tif: .*(pixels|bomb)"):
        decode(bomb, "a.tif")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.touch()
    os.truncate(path, 20 << 30)
    with pytest.raises(UnusableFileError, match=r"a\.jpg: has 20 GB; expected at most 512 MB"):
        read_picture(path)


def test_a_missing_decoder_or_a_fault_of_ours_is_no_bad_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: Any, **options: Any) -> Any:
        raise ImportError("no decoder")

    monkeypatch.setattr(Image, "open", missing)
    with pytest.raises(ImportError, match="no decoder"):
        decode(b"", "a.jpg")
