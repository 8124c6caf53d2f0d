"""Lines of text files that people give us; a module of its own, for commands that should not wait for torch."""

from __future__ import annotations

from pathlib import Path


class TextFileError(ValueError):
    """A text that cannot be trained on; the message names file and line."""


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
