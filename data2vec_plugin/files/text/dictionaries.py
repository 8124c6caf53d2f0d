"""fairseq's dictionaries: a symbol and its count per line; the n-th symbol has the n-th id.

They are read as fairseq does; where it would fail, unambiguous files are read, too: with a byte order mark; Windows'
line ends; a tab, or several blanks, between symbol and count; blank lines, which name no symbol; or no counts at all
(each symbol then counts as 1). A line without a count among others with one is an error, since it may be a count whose
symbol was lost; so is a list of bare numbers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List, NamedTuple, Tuple

from ..unusable import UnusableFileError, shown
from .text_lines import numbered_lines

OVERWRITE = "#fairseq:overwrite"
"""After a count: allows a symbol that occurred before; its earlier id is no longer used."""
ENTRY = re.compile(rf"(?P<symbol>.*)[ \t](?P<count>[+-]?[0-9]{{1,18}})(?P<flag>[ \t]+{OVERWRITE})?", re.DOTALL)
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
"""The symbols that fairseq adds before a file's, in this order."""


class Entry(NamedTuple):
    """A line of a dictionary."""

    line: int
    symbol: str
    frequency: int
    overwrites: bool = False

    def text(self) -> str:
        """The line as stock fairseq reads it."""
        return f"{self.symbol} {self.frequency}{f' {OVERWRITE}' if self.overwrites else ''}\n"


def read_entries(path: Path) -> List[Entry]:
    """Read the entries of a dictionary, without fairseq's special symbols; needs neither torch nor fairseq.

    Raises :class:`UnusableFileError`, with the line, for a line that is not a symbol and a count, and for a repeated
    symbol (or one of :data:`SPECIAL`) without :data:`OVERWRITE`; and for a file without symbols.
    """
    lines = [(number, line.rstrip()) for number, line in numbered_lines(path) if line.strip()]
    if not lines:
        raise UnusableFileError.of(path, "is empty; expected a symbol and its count per line")
    if _is_bare(lines):
        entries = [Entry(number, line.strip(), 1) for number, line in lines]
    else:
        entries = [_entry(path, number, line) for number, line in lines]
    _check_duplicates(path, entries)
    return entries


def normal_text(path: Path) -> str:
    """Return a dictionary's text in the form that stock fairseq reads; raises as :func:`read_entries` does."""
    return "".join(entry.text() for entry in read_entries(path))


def _is_bare(lines: List[Tuple[int, str]]) -> bool:
    """Whether no line has both symbol and count, and not all of them are numbers."""
    symbols = [line.split() for _, line in lines]
    return all(len(words) == 1 for words in symbols) and not all(words[0].isdigit() for words in symbols)


def _entry(path: Path, number: int, line: str) -> Entry:
    match = ENTRY.fullmatch(line)
    if match is None or not match["symbol"]:
        fault = f"got {shown(line)}; expected a symbol and a count, with a space between them"
        raise UnusableFileError.of(path, fault, number)
    return Entry(number, match["symbol"].strip() or match["symbol"], int(match["count"]), bool(match["flag"]))


def _check_duplicates(path: Path, entries: List[Entry]) -> None:
    first = dict.fromkeys(SPECIAL, 0)
    for entry in entries:
        line = first.setdefault(entry.symbol, entry.line)
        if entry.overwrites or line == entry.line:
            continue
        raise UnusableFileError.of(
            path,
            f"duplicate symbol {entry.symbol!r}, which {f'line {line} has' if line else 'fairseq has'} already; "
            f"remove the line, unless a model was trained with it: then write `{OVERWRITE}` after its count",
            entry.line,
        )
