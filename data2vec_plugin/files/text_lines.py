"""Lines of text files that people give us; a module of its own, for commands that should not wait for torch."""

from __future__ import annotations

from pathlib import Path
from typing import List


class TextFileError(ValueError):
    """A text that cannot be trained on; the message names file and line."""


def read_lines(path: Path) -> List[str]:
    """The lines of a UTF-8 file as fairseq reads them: only a line break ends one, be it of Windows.

    ``str.splitlines`` ends one at U+2028 and at form feeds, too, which names of files may hold.
    """
    with path.open(encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def decoded(path: Path, number: int, line: bytes) -> str:
    """Line ``number``, from 1, without blanks around it and without a byte order mark.

    Raises :class:`TextFileError` for a byte that is not UTF-8.
    """
    try:
        return line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except UnicodeDecodeError as error:
        raise TextFileError(
            f"{path}:{number}: byte {line[error.start]:#04x} at column {error.start + 1} is not UTF-8; "
            f"convert the file (`iconv -f latin1 -t utf-8`)"
        ) from None
