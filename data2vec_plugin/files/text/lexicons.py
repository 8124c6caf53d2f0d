"""Lexicons: per line, a word and its spelling in a dictionary's symbols, `HELLO<TAB>H E L L O |`."""

from __future__ import annotations

from pathlib import Path
from typing import List, NamedTuple, Tuple

from ..unusable import UnusableFileError, shown
from .text_lines import numbered_lines


class Spelling(NamedTuple):
    """A line of a lexicon; a word may have several."""

    line: int
    word: str
    symbols: Tuple[str, ...]


def read_lexicon(path: Path) -> List[Spelling]:
    """Read all spellings, in the file's order; blank lines are skipped.

    Raises :class:`UnusableFileError`, with the line, for a word without a spelling, and for a file without words.
    """
    spellings = []
    for number, line in numbered_lines(path):
        if not line.strip():
            continue
        word, *symbols = line.split()
        if not symbols:
            raise UnusableFileError.of(
                path,
                f"got {shown(line)}, a word without a spelling; expected a spelling after the word, `CAT<TAB>C A T |`",
                number,
            )
        spellings.append(Spelling(number, word, tuple(symbols)))
    if not spellings:
        raise UnusableFileError.of(path, "holds no words; expected a word and its spelling per line, `CAT<TAB>C A T |`")
    return spellings


def check_spellings(path: Path, spellings: List[Spelling], known: set[str]) -> None:
    """Raise :class:`UnusableFileError` for the first spelling with a symbol that is not among the ``known``."""
    for spelling in spellings:
        for symbol in spelling.symbols:
            if symbol not in known:
                raise UnusableFileError.of(
                    path,
                    f"{spelling.word} is spelled with {symbol!r}, which is not one of the model's {len(known)} "
                    "symbols; create a lexicon for them with `data2vec lm lexicon --dict FILE`, or remove the word",
                    spelling.line,
                )
