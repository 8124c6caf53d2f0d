"""Text of pictures by tesseract: what is missing is said, what was read is kept."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, List

import pytest
from images import encoded, photograph

from data2vec_plugin.data.multimodal import ocr
from data2vec_plugin.data.multimodal.ocr import Tesseract, check_engine


@pytest.mark.parametrize(
    ("package", "program", "told", "untold"),
    [
        (False, True, "pip install pytesseract", "apt install"),
        (True, False, "the program tesseract, which pip does not install", "pip install pytesseract"),
        (False, False, "pip install pytesseract.*apt install tesseract-ocr", "nothing else"),
    ],
)
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch, package: bool, program: bool, told: str, untold: str
) -> None:
    monkeypatch.setattr(ocr, "find_spec", lambda name: package or None)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/tesseract" if program else None)
    with pytest.raises(ValueError, match=f"`task.ocr` is tesseract, which requires .*{told}") as error:
        check_engine()
    assert untold not in str(error.value)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """An engine that tells a picture's size, and the calls it got."""
    calls: List[Any] = []
    module: Any = ModuleType("pytesseract")
    module.TesseractError = module.TesseractNotFoundError = RuntimeError

    def read(picture: Any, lang: str, config: str) -> str:
        calls.append((lang, config))
        if lang == "xyz":
            raise RuntimeError("no such\nlanguage")
        return f"{picture.width}\nby {picture.height}\n\f"

    module.image_to_string = read
    monkeypatch.setitem(sys.modules, "pytesseract", module)
    monkeypatch.setattr(ocr, "find_spec", lambda name: True)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/tesseract")
    return calls


def test_a_picture_is_read_once_whatever_it_is_called(tmp_path: Path, engine: List[Any]) -> None:
    pictures = [tmp_path / name for name in ("a.png", "b.png", "bad.png")]
    pictures[0].write_bytes(encoded(photograph(0, 30, 20), "PNG"))
    pictures[1].write_bytes(encoded(photograph(0, 31, 20), "PNG"))
    pictures[2].write_bytes(b"no picture")
    assert Tesseract(tmp_path / "ocr").texts(pictures) == ["30 by 20", "31 by 20", ""]
    assert engine == [("eng", "--oem 1")] * 2
    moved = pictures[0].rename(tmp_path / "moved.png")
    assert Tesseract(tmp_path / "ocr").text(moved) == "30 by 20"
    assert len(engine) == 2
    assert Tesseract(tmp_path / "ocr", options="--psm 6").text(moved) == "30 by 20"  # read otherwise: another text
    assert len(engine) == 3
    assert sorted(path.suffix for path in (tmp_path / "ocr").iterdir()) == [".ocr"] * 3


def test_an_engine_that_fails_is_no_empty_text(tmp_path: Path, engine: List[Any]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded(photograph(0, 30, 20), "PNG"))
    with pytest.raises(ValueError, match=r"tesseract cannot read .*a\.png: no such language; see `task\.ocr_language`"):
        Tesseract(tmp_path / "ocr", "xyz").texts([path])
    assert not (tmp_path / "ocr").exists()


def test_the_real_engine_reads(tmp_path: Path) -> None:
    pytest.importorskip("pytesseract")
    if shutil.which("tesseract") is None:
        pytest.skip("there is no program tesseract")
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (420, 80), "white")
    ImageDraw.Draw(page).text((20, 20), "what a lovely morning", fill="black", font=ImageFont.load_default(size=32))
    page.save(tmp_path / "a.png")
    assert Tesseract(tmp_path / "ocr").text(tmp_path / "a.png") == "what a lovely morning"
