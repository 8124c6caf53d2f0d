"""Lists of memes: images with a label, and their text.

``SPLIT.tsv`` has the pictures' folder in its first line, then ``picture <TAB> label`` or
``picture <TAB> label <TAB> text``. A label is 0 or 1. Text that is not in the list may be next to an image, in
``PICTURE.ocr``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional

from ..text.text_lines import numbered_lines, read_text, without_empty_end
from ..unusable import UnusableFileError

LINE = "picture<TAB>0 or 1, or picture<TAB>0 or 1<TAB>text"
SIDECAR = ".ocr"


@dataclass(frozen=True)
class Meme:
    """A picture with its label; ``text`` is None if unknown, empty if the image has no text."""

    picture: Path
    label: int
    text: Optional[str] = None


def read_memes(path: Path) -> List[Meme]:
    """Read the memes of a list, whose folder may be relative to it.

    Raises UnusableFileError, naming the line, for a list that is missing, empty or malformed, and for other labels.
    """
    lines = list(without_empty_end(numbered_lines(path)))
    root = path.parent / lines[0][1].strip() if lines else path.parent
    memes = [_meme(path, root, number, line) for number, line in lines[1:]]
    if not memes:
        raise UnusableFileError.of(path, f"lists no picture; expected a folder, then lines of {LINE}")
    return memes


def _meme(path: Path, root: Path, number: int, line: str) -> Meme:
    cells = line.split("\t")
    if len(cells) not in (2, 3) or not cells[0]:
        raise UnusableFileError.of(path, f"got {line!r}; expected {LINE}", number)
    if cells[1].strip() not in ("0", "1"):
        raise UnusableFileError.of(path, f"label {cells[1]!r} is out of range; expected 0 or 1", number)
    return Meme(root / cells[0], int(cells[1]), one_line(cells[2]) if len(cells) == 3 else None)


def text_beside(picture: Path) -> Optional[str]:
    """Read ``PICTURE.ocr`` as one line; return None if it does not exist."""
    path = picture.with_name(picture.name + SIDECAR)
    return one_line(read_text(path)) if path.is_file() else None


def one_line(text: str) -> str:
    """Return a text's words with single spaces between them."""
    return " ".join(text.split())
