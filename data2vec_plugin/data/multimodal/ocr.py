"""The text in pictures, read by tesseract once and kept by the pictures' content."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import List, Sequence

from ...files.media.pictures import decode, read_picture
from ...files.multimodal.meme_lists import SIDECAR, one_line
from ...files.text.text_lines import read_text
from ...files.unusable import UnusableFileError
from ...files.writing import write_atomically

OPTIONS = "--oem 1"
"""The neural engine, as in the published code."""


def check_engine() -> None:
    """Raise ValueError, with what to install, unless both the Python package and the program are there."""
    missing = []
    if find_spec("pytesseract") is None:
        missing.append("the package pytesseract (pip install pytesseract)")
    if shutil.which("tesseract") is None:
        missing.append("the program tesseract, which pip does not install (on Debian: apt install tesseract-ocr)")
    if missing:
        raise ValueError(
            f"`task.ocr` is tesseract, which requires {'; '.join(missing)}. Install this, or set `task.ocr=sidecar` "
            f"for text in PICTURE{SIDECAR}, or `task.ocr=none`"
        )


class Tesseract:
    """Reads the text of pictures in ``language``, and caches it in ``folder`` by the pictures' content.

    Raises ValueError if tesseract or its Python package is missing.
    """

    def __init__(self, folder: Path, language: str = "eng", options: str = OPTIONS) -> None:
        check_engine()
        self.folder, self.language, self.options = folder, language, options

    def texts(self, pictures: Sequence[Path]) -> List[str]:
        """The text of each image on one line; empty for unusable images, which are reported when they are loaded."""
        with ThreadPoolExecutor() as pool:
            return list(pool.map(self.text, pictures))

    def text(self, picture: Path) -> str:
        """Return the text of a picture, from the folder if it has been read before; empty for an unusable one.

        Raises ValueError if tesseract fails.
        """
        try:
            content = read_picture(picture)
            kept = self.folder / f"{self._digest(content)}{SIDECAR}"
            if not kept.is_file():
                write_atomically(kept, self._read(content, str(picture)) + "\n")
            return one_line(read_text(kept))
        except UnusableFileError:
            return ""

    def _digest(self, content: bytes) -> str:
        """Return a digest of a picture's content, the language and the options."""
        digest = hashlib.blake2b(f"{self.language} {self.options}\n".encode(), digest_size=12)
        digest.update(content)
        return digest.hexdigest()

    def _read(self, content: bytes, name: str) -> str:
        import pytesseract

        picture = decode(content, name)
        try:
            found = pytesseract.image_to_string(picture, lang=self.language, config=self.options)
        except (pytesseract.TesseractError, pytesseract.TesseractNotFoundError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"tesseract cannot read {name}: {reason}; see `task.ocr_language` and `task.ocr_options`"
            ) from error
        return one_line(found)
