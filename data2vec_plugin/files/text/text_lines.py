"""Lines of text: UTF-8, with or without a byte order mark; a line feed ends one, with a carriage return or without.

Nothing else ends a line: names and sentences hold U+2028, form feeds and other characters at which
``str.splitlines`` would cut them. A module without torch, for commands that should not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterable, Iterator, List, Optional, Tuple

from ..opening import opened, read_bytes
from ..unusable import UnusableFileError

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def raw_lines(path: Path) -> Iterator[Tuple[int, bytes]]:
    """Yield the number, from 1, and the bytes of every line, so that parts of a file can be decoded elsewhere."""
    with opened(path) as file:
        yield from enumerate(file, start=1)


def decoded(path: Path, number: int, line: bytes) -> str:
    """Return the text of line ``number``, from 1, without its end and without a byte order mark.

    Raises :class:`UnusableFileError`, with line and column, for a byte that is not UTF-8.
    """
    if number == 1 and line.startswith(BYTE_ORDER_MARK):
        line = line[len(BYTE_ORDER_MARK) :]
    try:
        return line.rstrip(b"\r\n").decode("utf-8")
    except UnicodeDecodeError as error:
        kind = "utf-16" if number == 1 and line.startswith(UTF_16) else "latin1"
        raise UnusableFileError.of(
            path,
            f"byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8; convert the file "
            f"(`iconv -f {kind} -t utf-8`{', if it is Latin-1' if kind == 'latin1' else ''})",
            number,
        ) from error


def numbered_lines(path: Path, seen: Optional[Callable[[int], object]] = None) -> Iterator[Tuple[int, str]]:
    """Yield the number, from 1, and the text of every line; ``seen`` is called with the number of bytes of each.

    Raises :class:`UnusableFileError` for a file that cannot be opened, or a byte that is not UTF-8.
    """
    for number, line in raw_lines(path):
        if seen is not None:
            seen(len(line))
        yield number, decoded(path, number, line)


def read_lines(path: Path) -> List[str]:
    """Read all lines; raises as :func:`numbered_lines` does."""
    return [line for _, line in numbered_lines(path)]


def read_text(path: Path) -> str:
    """Read a whole text, with line feeds between its lines; raises as :func:`numbered_lines` does."""
    content = read_bytes(path)
    lines = content.split(b"\n")
    return "\n".join(decoded(path, number, line) for number, line in enumerate(lines, start=1))


def without_empty_end(lines: Iterable[Tuple[int, str]]) -> Iterator[Tuple[int, str]]:
    """Yield the lines without the empty ones at a file's end."""
    empty: List[Tuple[int, str]] = []
    for number, line in lines:
        if not line:
            empty.append((number, line))
            continue
        yield from empty
        empty.clear()
        yield number, line
