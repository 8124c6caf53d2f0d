"""A text as the rows of a recogniser's dictionary: its words, letter by letter or in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from ..corpora.spelling import BOUNDARY, Losses, clean
from ..decoding.words import NO_TEXT, PIECE, is_special


@dataclass(frozen=True)
class Spelled:
    """The words of a text as the dictionary writes them, the rows of each, and how many each of ``written`` became."""

    words: List[str]
    rows: List[List[int]]
    written: List[Tuple[str, int]]


class Speller:
    """Spells texts in the symbols of a dictionary; counts in ``losses`` what of them is no letter.

    Letters get the case that the dictionary has, if it has one alone. Between words stands ``boundary``, its row, where
    the dictionary has ``|``.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.known: Dict[str, int] = {s: row for row, s in enumerate(symbols) if s not in NO_TEXT and not is_special(s)}
        self.boundary: Optional[int] = self.known.pop(BOUNDARY, None)
        self.in_pieces = any(symbol.startswith(PIECE) for symbol in self.known)
        self.case = case_of("".join(self.known))
        self.losses = Losses()

    def spell(self, text: str) -> Spelled:
        """Raises ValueError for a text without letters, or with some that the dictionary lacks, which it names."""
        words: List[str] = []
        written: List[Tuple[str, int]] = []
        for word in text.split():
            cleaned = clean(word, self.case, self.losses).split()
            words += cleaned
            if cleaned:
                written.append((word, len(cleaned)))
        if not words:
            raise ValueError(f"the text holds no words ({text[:60]!r})")
        missing = sorted({symbol for word in words for symbol in self.missing(word)})
        if missing:
            raise ValueError(
                f"the dictionary lacks {', '.join(map(repr, missing))}; it has {' '.join(sorted(self.known))[:200]}: "
                f"write the text in these"
            )
        return Spelled(words, [self.rows(word) for word in words], written)

    def rows(self, word: str) -> List[int]:
        """The rows of a word that can be spelled."""
        return [self.known[symbol] for symbol in self.cut(word) or []]

    def missing(self, word: str) -> List[str]:
        """Letters of a word that the dictionary lacks; the word itself where no pieces make it up."""
        if not self.in_pieces:
            return [letter for letter in word if letter not in self.known]
        return [] if self.cut(word) is not None else [word]

    def cut(self, word: str) -> Optional[List[str]]:
        """A word's letters, or the fewest pieces that make it up; None if none do."""
        if not self.in_pieces:
            return list(word)
        marked = PIECE + word
        best: List[Optional[List[str]]] = [[]]
        for end in range(1, len(marked) + 1):
            ways = [
                [*before, marked[start:end]]
                for start, before in enumerate(best)
                if before is not None and marked[start:end] in self.known
            ]
            best.append(min(ways, key=len, default=None))
        return best[-1]

    def sequence(self, spelled: Spelled) -> List[int]:
        """All rows of a text, the boundary behind each word."""
        behind = [] if self.boundary is None else [self.boundary]
        return [row for rows in spelled.rows for row in [*rows, *behind]]


def case_of(letters: str) -> str:
    """The case that all letters have, as ``data2vec labels --case`` calls it.

    >>> case_of("AB'"), case_of("ab"), case_of("aB"), case_of("\\uac00")
    ('upper', 'lower', 'keep', 'keep')
    """
    if letters.upper() == letters.lower():
        return "keep"
    return "upper" if letters == letters.upper() else "lower" if letters == letters.lower() else "keep"
