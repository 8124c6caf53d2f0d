"""A lexicon from word lists or transcripts: every word with its spelling in the symbols of a dictionary."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..files.text.dictionaries import read_entries
from ..files.unusable import UnusableFileError, some
from ..files.writing import write_atomically
from .labelling import report_losses
from .spelling import BOUNDARY, Losses
from .spoken_text import words_of_texts

PIECE = "\N{LOWER ONE EIGHTH BLOCK}"
Speller = Callable[[str], List[str]]


@dataclass(frozen=True)
class LexiconSettings:
    """The texts of a lexicon, and how to spell them."""

    texts: Sequence[Path]
    """Word lists, transcripts, label files (.wrd, .ltr)."""
    dictionary: Path
    """The model's dict.LABELS.txt."""
    out: Path = Path("lexicon.txt")
    case: Optional[str] = None
    """Clean the words as `data2vec labels` does: upper, lower or keep; None: leave them unchanged."""
    min_count: int = 1
    spm: Optional[Path] = None
    """SentencePiece model, if the dictionary holds its pieces."""
    skip_unknown: bool = False
    """Leave out words that the dictionary cannot spell."""


def write_lexicon(settings: LexiconSettings) -> None:
    """Write the lexicon, sorted, and print its size.

    Raises:
        UnusableFileError: a text that cannot be read, or has a word that the dictionary cannot spell.
        ValueError: no word is left, or the SentencePiece model is missing.
    """
    symbols = {entry.symbol for entry in read_entries(settings.dictionary)}
    spell = speller(symbols, settings)
    counts, first = count_words(settings)
    spellings: Dict[str, List[str]] = {}
    left_out: List[str] = []
    for word in sorted(word for word, count in counts.items() if count >= settings.min_count):
        spelling = spell(word)
        unknown = [symbol for symbol in spelling if symbol not in symbols]
        if not unknown:
            spellings[word] = spelling
        elif settings.skip_unknown:
            left_out.append(word)
        else:
            raise cannot_spell(word, unknown[0], *first[word], settings)
    if left_out:
        print(
            f"left out {len(left_out):,} words that {settings.dictionary} cannot spell: {some(left_out)}",
            file=sys.stderr,
        )
    if not spellings:
        raise ValueError(f"no word is left of {len(counts):,}; lower `--min-count`, or give other texts")
    write_atomically(settings.out, "".join(f"{word}\t{' '.join(each)}\n" for word, each in spellings.items()))
    print(f"{settings.out}: {len(spellings):,} words")


def count_words(settings: LexiconSettings) -> Tuple[Counter[str], Dict[str, Tuple[Path, int]]]:
    """How often each word occurs, and the file and line of its first occurrence."""
    losses = Losses()
    counts: Counter[str] = Counter()
    first: Dict[str, Tuple[Path, int]] = {}
    for path, line, words in words_of_texts(settings.texts, settings.case, losses):
        counts.update(words)
        for word in words:
            first.setdefault(word, (path, line))
    if settings.case is not None:
        report_losses(losses, settings.case)
    return counts, first


def speller(symbols: Set[str], settings: LexiconSettings) -> Speller:
    """The function that spells a word: letters and the boundary if the dictionary has one, pieces, or letters only."""
    if BOUNDARY in symbols:
        return lambda word: [*word, BOUNDARY]
    if not any(symbol.startswith(PIECE) for symbol in symbols):
        return lambda word: [word] if word in symbols else [*word]
    if settings.spm is None:
        raise ValueError(
            f"{settings.dictionary} holds SentencePiece's pieces: give the model that splits words into them, "
            f"`--spm spm.model`"
        )
    from ..data.text.subwords import SentencePiece

    return SentencePiece(settings.spm).encode


def cannot_spell(word: str, symbol: str, path: Path, line: int, settings: LexiconSettings) -> UnusableFileError:
    """The error of a word in a text."""
    case = "" if settings.case else " in the labels' case, `--case upper` or `--case lower`, or"
    return UnusableFileError.of(
        path,
        f"{word!r} cannot be spelled: {symbol!r} is not in {settings.dictionary}; give the words{case} without such "
        f"letters, or skip such words with `--skip-unknown`",
        line,
    )
