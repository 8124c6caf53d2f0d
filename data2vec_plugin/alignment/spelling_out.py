"""A text as rows of a recogniser's dictionary: each word as letters or SentencePiece pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from ..corpora.spelling import BOUNDARY, Losses, clean
from ..decoding.words import NO_TEXT, PIECE, is_special


@dataclass(frozen=True)
class Spelled:
    """A text's words in the dictionary's spelling, the rows of each, and how many words each of ``written`` became."""

    words: List[str]
    rows: List[List[int]]
    written: List[Tuple[str, int]]


class Speller:
    """Spells texts in the symbols of a dictionary; counts dropped characters, which are no letters, in ``losses``.

    Letters get the dictionary's case, if it has only one. Words are separated by ``boundary``, the row of ``|``, if the
    dictionary has it.
    """

    def __init__(self, symbols: Sequence[str]) -> None:
        self.known: Dict[str, int] = {s: row for row, s in enumerate(symbols) if s not in NO_TEXT and not is_special(s)}
        self.boundary: Optional[int] = self.known.pop(BOUNDARY, None)
        self.in_pieces = any(symbol.startswith(PIECE) for symbol in self.known)
        self.case = case_of("".join(self.known))
        self.losses = Losses()

    def spell(self, text: str) -> Spelled:
        """Spell a text; raises ValueError if it has no letters, or some that the dictionary lacks."""
        words: List[str] = []
        written: List[Tuple[str, int]] = []
        for word in text.split():
            cleaned = clean(word, self.case, self.losses).split()
            words += cleaned
            if cleaned:
                written.append((word, len(cleaned)))
        if not words:
            raise ValueError(f"the text has no words ({text[:60]!r})")
        missing = sorted({symbol for word in words for symbol in self.missing(word)})
        if missing:
            raise ValueError(
                f"the dictionary lacks {', '.join(map(repr, missing))}; it has {' '.join(sorted(self.known))[:200]}: "
                f"spell the text with these"
            )
        return Spelled(words, [self.rows(word) for word in words], written)

    def rows(self, word: str) -> List[int]:
        """The rows of a word that can be spelled."""
        return [self.known[symbol] for symbol in self.cut(word) or []]

    def missing(self, word: str) -> List[str]:
        """Letters of a word that the dictionary lacks; the word itself if no pieces compose it."""
        if not self.in_pieces:
            return [letter for letter in word if letter not in self.known]
        return [] if self.cut(word) is not None else [word]

    def cut(self, word: str) -> Optional[List[str]]:
        """A word's letters, or the fewest pieces that compose it; None if there are none."""
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
        """All rows of a text, with the boundary after each word."""
        behind = [] if self.boundary is None else [self.boundary]
        return [row for rows in spelled.rows for row in [*rows, *behind]]


def case_of(letters: str) -> str:
    """The case of all letters, as a value of ``data2vec labels --case``.

    >>> case_of("AB'"), case_of("ab"), case_of("aB"), case_of("\\uac00")
    ('upper', 'lower', 'keep', 'keep')
    """
    if letters.upper() == letters.lower():
        return "keep"
    return "upper" if letters == letters.upper() else "lower" if letters == letters.lower() else "keep"
