"""The n-gram language model of a beam search, opened and checked against the vocabulary before anything is decoded."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence

from ..files.text.arpa import check_arpa, first_words, is_kenlm_binary
from ..files.unusable import UnusableFileError, some
from .flashlight import flashlight_text
from .words import is_special

logger = logging.getLogger(__name__)

SURELY_OTHERS = 0.5
"""Share of unknown lexicon words from which on a language model may be one of letters."""
NO_WORD = "\N{OBJECT REPLACEMENT CHARACTER}"
"""A word that no language model contains."""


@dataclass(frozen=True)
class LanguageModel:
    """A KenLM model over words of a lexicon, or over symbols of the dictionary (``of_symbols``)."""

    kenlm: Any
    of_symbols: bool
    description: str


def open_language_model(path: Path, symbols: Sequence[str], words: Optional[List[str]]) -> LanguageModel:
    """Open an ARPA file or KenLM binary for the ``words`` of a lexicon, or else for the dictionary's ``symbols``.

    With a lexicon it may be a model of either: the vocabulary of which it contains more is used. The number of unknown
    words or symbols is logged.

    Raises:
        UnusableFileError: it is no language model, is truncated, or contains none of them: it has another alphabet, or
            consists of words while there is no lexicon.
    """
    description = _check(path)
    unknown_words: List[str] = []
    if words is not None:
        model = _kenlm(path, [*words, NO_WORD])
        unknown_words = unknown(model, words)
        if len(unknown_words) < SURELY_OTHERS * len(words):
            _log_share(path, unknown_words, words, "words of the lexicon")
            return LanguageModel(model, False, description)
    letters = [symbol for symbol in symbols if not is_special(symbol)]
    unknown_letters = unknown(_kenlm(path, [*letters, NO_WORD]), letters)
    if words is not None and len(unknown_letters) / len(letters) >= len(unknown_words) / len(words) < 1:
        _log_share(path, unknown_words, words, "words of the lexicon")
        return LanguageModel(model, False, description)
    if len(unknown_letters) == len(letters):
        raise _over_another_alphabet(path, letters, words)
    _log_share(path, unknown_letters, letters, "symbols of the dictionary")
    return LanguageModel(_kenlm(path, symbols), True, f"{description} of symbols")


def unknown(kenlm: Any, words: Sequence[str]) -> List[str]:
    """Which of the words, the first that ``kenlm`` was opened with, are unknown to it.

    KenLM does not report this, but all unknown words have one probability, which no known word has.
    """
    start = kenlm.start(False)
    of_none = kenlm.score(start, len(words))[1]
    return [word for index, word in enumerate(words) if kenlm.score(start, index)[1] == of_none]


def _check(path: Path) -> str:
    if is_kenlm_binary(path):
        return f"KenLM's {path.name}"
    order = len(check_arpa(path))
    if order < 2:
        raise UnusableFileError.of(
            path, "holds only unigrams; KenLM requires bigrams too: `data2vec lm build --order 2`"
        )
    return f"{order}-gram {path.name}"


def _kenlm(path: Path, words: Sequence[str]) -> Any:
    """A KenLM model in which the n-th of the words has the number n."""
    flashlight = flashlight_text()
    dictionary = flashlight.Dictionary()
    for number, word in enumerate(words):
        if not dictionary.contains(word):  # fairseq's dictionaries may give a symbol another row
            dictionary.add_entry(word, number)
    try:
        with without_stderr():
            return flashlight.KenLM(str(path), dictionary)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UnusableFileError.of(path, f"KenLM cannot read it ({reason}); write or fetch it again") from error


@contextmanager
def without_stderr() -> Iterator[None]:
    """Discard what C++ writes to stderr: KenLM draws its own progress bar."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _log_share(path: Path, missing: List[str], every: Sequence[str], what: str) -> None:
    if missing:
        share = len(missing) / len(every)
        log = logger.warning if share > 0.1 else logger.info
        log(f"{path}: {len(missing):,} of {len(every):,} {what} ({share:.1%}) are unknown to it: {some(missing, 5)}")


def _over_another_alphabet(path: Path, letters: Sequence[str], words: Optional[List[str]]) -> UnusableFileError:
    own = "" if is_kenlm_binary(path) else f" Its words are {some(first_words(path))}."
    if words is None:
        return UnusableFileError.of(
            path,
            f"contains none of the dictionary's symbols ({some(letters)}).{own} A model of words requires a lexicon: "
            f"give `--lexicon` (from `data2vec lm lexicon`), or build a model of letters with "
            f"`data2vec lm build --units char`",
        )
    return UnusableFileError.of(
        path,
        f"contains none of the {len(words):,} words of the lexicon ({some(words)}), and none of the dictionary's "
        f"symbols.{own} Its alphabet or its case differs: build one from text like the labels with `data2vec lm build`",
    )
