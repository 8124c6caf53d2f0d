"""Words of plain text and of label files, for lexicons and language models."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from ..files.text.text_lines import numbered_lines
from ..files.unusable import UnusableFileError
from .spelling import BOUNDARY, Losses, clean, spell

LETTERS = ".ltr"
"""Extensions of label files that hold words as letters."""

Line = Tuple[Path, int, List[str]]


def words_of_texts(
    texts: Sequence[Path], case: Optional[str], losses: Losses, seen: Optional[Callable[[int], object]] = None
) -> Iterator[Line]:
    """File, line and words of every line of the texts that has any.

    Letters of an ``.ltr`` file (`T H E | D O G |`) are joined to words. With a ``case`` the words are cleaned as in
    `data2vec labels`, and the losses are counted; otherwise they are not changed. Raises
    :class:`UnusableFileError` for a text that cannot be read.
    """
    for path in texts:
        if not path.is_file():
            raise UnusableFileError.of(path, "no such file; give text files, or .wrd and .ltr of `data2vec labels`")
        for number, line in numbered_lines(path, seen=seen):
            text = joined(line) if path.suffix == LETTERS else line
            words = (text if case is None else clean(text, case, losses)).split()
            if words:
                yield path, number, words


def joined(letters: str) -> str:
    """Words of a line of letters, separated by blanks.

    >>> joined("T H E | D O G |")
    'THE DOG'
    """
    return " ".join("".join(letters.split()).replace(BOUNDARY, " ").split())


def letters_of(words: Sequence[str]) -> List[str]:
    """Words as symbols: letters, and the boundary after each word."""
    return spell(" ".join(words)).split()
