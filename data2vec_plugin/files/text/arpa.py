r"""N-gram language models as ARPA files: what the header promises, and whether the n-grams are there.

    \data\
    ngram 1=3
    …
    \1-grams:
    -0.5	word	-0.3
    …
    \end\
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Dict, List

from ..opening import opened, size_of
from ..unusable import UnusableFileError, shown
from .text_lines import decoded

HEADER = 1 << 16
"""Bytes at the start of a file that hold the counts."""
COUNT = re.compile(rb"^ngram[ \t]+(\d+)[ \t]*=[ \t]*(\d+)[ \t\r]*$", re.MULTILINE)
KENLM_BINARY = b"mmap lm http://kheafield.com/code"
PACKED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ": "unxz"}
PIECE = 1 << 24


def is_kenlm_binary(path: Path) -> bool:
    """Whether a file is a language model that KenLM's `build_binary` wrote."""
    with opened(path) as file:
        return file.read(len(KENLM_BINARY)) == KENLM_BINARY


def check_arpa(path: Path) -> Dict[int, int]:
    """Return the number of n-grams by order, after checking that a file of any size lists as many as its header says.

    Raises :class:`UnusableFileError` for a file that is not an ARPA file, that has fewer or more n-grams of an order
    than its header says, or that lacks the last line.
    """
    with opened(path) as file:
        start = file.read(HEADER)
        _refuse_others(path, start)
        counts = {int(order): int(count) for order, count in COUNT.findall(start.partition(b"-grams:")[0])}
        if not counts or sorted(counts) != list(range(1, len(counts) + 1)):
            raise UnusableFileError.of(
                path, f"its header counts n-grams of the orders {sorted(counts)}; expected 1 to N"
            )
        with mmap.mmap(file.fileno(), size_of(file), access=mmap.ACCESS_READ) as content:
            _check_counts(path, content, counts)
    return counts


def _refuse_others(path: Path, start: bytes) -> None:
    packed = next((tool for mark, tool in PACKED.items() if start.startswith(mark)), None)
    if packed is not None:
        raise UnusableFileError.of(path, f"is compressed; unpack it with `{packed}`")
    if b"\\data\\" not in start:
        first = start.split(b"\n")[0].decode("utf-8", "replace")
        raise UnusableFileError.of(
            path,
            f"begins with {shown(first)}; expected an n-gram language model: an ARPA file, which contains a line "
            "\\data\\ (`data2vec lm build` writes one), or KenLM's binary",
        )


def _check_counts(path: Path, content: mmap.mmap, counts: Dict[int, int]) -> None:
    end = content.rfind(b"\\end\\")
    at = 0
    for order, expected in counts.items():
        title = f"\\{order}-grams:".encode()
        at = content.find(b"\n" + title, at)
        if at < 0:
            raise _cut_short(path, f"has no {order}-grams, though its header counts {expected:,}")
        at += 1 + len(title)
        following = content.find(f"\n\\{order + 1}-grams:".encode(), at) if order < len(counts) else end
        found = _filled_lines(content, at, following if following >= 0 else len(content))
        if found != expected:
            raise _cut_short(path, f"lists {found:,} {order}-grams, but its header counts {expected:,}")
    if end < 0:
        raise _cut_short(path, "does not end with \\end\\")


def _filled_lines(content: mmap.mmap, start: int, end: int) -> int:
    """Return the number of lines of a section, without the empty ones at its start and end."""
    while start < end and content[start : start + 1].isspace():
        start += 1
    while end > start and content[end - 1 : end].isspace():
        end -= 1
    if start == end:
        return 0
    return 1 + sum(content[at : min(at + PIECE, end)].count(b"\n") for at in range(start, end, PIECE))


def _cut_short(path: Path, fault: str) -> UnusableFileError:
    return UnusableFileError.of(
        path, f"{fault}: it is truncated or was edited; create it again, or download it again and compare the sizes"
    )


def first_words(path: Path, number: int = 5) -> List[str]:
    """Return the first words of an ARPA file, without marks such as ``<s>``, for a message."""
    words: List[str] = []
    inside = False
    with opened(path) as file:
        for at, line in enumerate(file, start=1):
            text = decoded(path, at, line)
            inside = inside or text.startswith("\\1-grams:")
            cells = text.split("\t")
            if inside and len(cells) > 1 and not cells[1].startswith("<"):
                words.append(cells[1])
            if len(words) == number or text.startswith("\\2-grams:"):
                break
    return words
