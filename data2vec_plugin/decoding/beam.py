"""CTC beam search with flashlight-text: with a lexicon or without, with an n-gram language model or without."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..files.text.lexicons import Spelling, check_spellings, read_lexicon
from .decoded import Decoded, runs
from .flashlight import flashlight_text
from .language_model import LanguageModel, open_language_model
from .options import BeamOptions

BOUNDARY = "|"


@dataclass(frozen=True)
class Lexicon:
    """Words by number, and their spellings as rows of the dictionary: (word, rows)."""

    words: List[str]
    spellings: List[Tuple[int, List[int]]]


class BeamDecoder:
    """Finds the best paths through emissions, by the model's scores and the language model's.

    The sum that is maximised: log-probabilities of the path's symbols (natural logarithms), plus ``lm_weight`` times
    the language model's log10, plus ``word_score`` for each word, plus ``sil_weight`` for each frame of the boundary.
    A path is scored by its own probability, as in fairseq: probabilities of paths with equal text are not summed.

    A lexicon's words end with the boundary ``|``; if the dictionary has one, it is appended to spellings that lack it.
    In a dictionary without it (SentencePiece's pieces, syllables) a word ends with its last symbol. The search allows
    that symbol a single frame; so there, with a lexicon, frames with the same best symbol as the previous one are
    removed.

    Raises:
        ValueError: flashlight-text is missing, or an option has no effect with this dictionary.
        UnusableFileError: a word has no spelling, or one in symbols that the dictionary lacks; the language model is
            not one, is truncated, or has another alphabet.
    """

    def __init__(self, options: BeamOptions, symbols: Sequence[str], blank: int) -> None:
        flashlight = flashlight_text()
        self.options, self.blank, self.size = options, blank, len(symbols)
        self.boundary: Optional[int] = list(symbols).index(BOUNDARY) if BOUNDARY in symbols else None
        if options.sil_weight and self.boundary is None:
            raise ValueError(
                f"`--sil-weight` is {options.sil_weight:g}, but the dictionary has no boundary {BOUNDARY!r}: leave the "
                f"option out"
            )
        self.lexicon = None if options.lexicon is None else self._read_lexicon(symbols)
        words = None if self.lexicon is None else self.lexicon.words
        self.language_model: Optional[LanguageModel] = None
        if options.lm_model is not None:
            self.language_model = open_language_model(options.lm_model, symbols, words)
        self._trie = None if self.lexicon is None else self._grow_trie(flashlight)
        self._search = self._build(flashlight)

    def with_options(self, options: BeamOptions) -> BeamDecoder:
        """A copy with another beam or weights, which shares the lexicon and language model and so takes no time."""
        if (options.lexicon, options.lm_model) != (self.options.lexicon, self.options.lm_model):
            raise ValueError("only numbers may change; create a new decoder for another lexicon or language model")
        other = copy.copy(self)
        other.options = options
        other._search = other._build(flashlight_text())
        return other

    def decode(self, emissions: Tensor) -> List[Decoded]:
        """Up to ``nbest`` different texts; see :class:`.decoded.Decoder`. ``score`` is the maximised sum."""
        scores = np.ascontiguousarray(emissions.numpy(), dtype=np.float32)
        if scores.ndim != 2 or scores.shape[1] != self.size:
            raise ValueError(f"emissions are {scores.shape}; expected (frames, {self.size}), the dictionary's symbols")
        frames = np.arange(len(scores))
        if self.lexicon is not None and self.boundary is None:
            frames = self._first_of_runs(scores)
        searched = np.ascontiguousarray(scores[frames])
        results = self._search.decode(searched.ctypes.data, *searched.shape) if len(searched) else []
        found: Dict[Tuple[Any, ...], Decoded] = {}
        for result in results:
            decoded = self._decoded(result, scores, frames)
            found.setdefault((*(decoded.words or ()), None, *decoded.tokens), decoded)
            if len(found) == self.options.nbest:
                break
        return list(found.values()) or [Decoded([], [], [], [], 0.0)]

    def _decoded(self, result: Any, scores: NDArray[Any], frames: NDArray[Any]) -> Decoded:
        """A result's path holds a start symbol, one symbol per frame, and an end symbol."""
        kept: List[Tuple[int, int, int]] = []
        word_ends: List[int] = []
        words = [] if self.lexicon is None else result.words[1:-1]
        for symbol, start, end in runs(result.tokens[1:-1]):
            doubled = self.lexicon is not None and symbol == self.boundary and (not kept or kept[-1][0] == symbol)
            if symbol != self.blank and not doubled:
                kept.append((symbol, start, end))
            if any(word >= 0 for word in words[start:end]):
                word_ends.append(len(kept))
        if self.lexicon is not None:  # a word that the end of the recording cuts off is not counted
            kept = kept[: word_ends[-1] if word_ends else 0]
        last = [*frames[1:], len(scores)]  # a removed frame belongs to the previous one
        return Decoded(
            tokens=[symbol for symbol, _, _ in kept],
            frames=[int(frames[start]) for _, start, _ in kept],
            ends=[int(last[end - 1]) for _, _, end in kept],
            scores=[float(scores[frames[start], symbol]) for symbol, start, _ in kept],
            score=float(result.score),
            words=None if self.lexicon is None else [self.lexicon.words[word] for word in words if word >= 0],
            word_ends=None if self.lexicon is None else word_ends,
        )

    def _first_of_runs(self, scores: NDArray[Any]) -> NDArray[Any]:
        best = scores.argmax(1)
        repeated = np.zeros(len(best), dtype=bool)
        repeated[1:] = (best[1:] == best[:-1]) & (best[1:] != self.blank)
        return np.flatnonzero(~repeated)

    def _read_lexicon(self, symbols: Sequence[str]) -> Lexicon:
        path = self.options.lexicon
        lines = read_lexicon(path)  # type: ignore[arg-type]
        check_spellings(path, lines, set(symbols))  # type: ignore[arg-type]
        rows = {symbol: row for row, symbol in enumerate(symbols)}
        numbers: Dict[str, int] = {}
        spellings = [
            (numbers.setdefault(line.word, len(numbers)), [rows[symbol] for symbol in self._closed(line)])
            for line in lines
        ]
        return Lexicon(list(numbers), spellings)

    def _closed(self, line: Spelling) -> Tuple[str, ...]:
        open_ended = self.boundary is not None and line.symbols[-1] != BOUNDARY
        return (*line.symbols, BOUNDARY) if open_ended else line.symbols

    def _build(self, flashlight: Any) -> Any:
        """flashlight's decoder."""
        options, model = self.options, self.language_model
        lm = flashlight.ZeroLM() if model is None else model.kenlm
        # flashlight's silence is the symbol between words: the boundary, or else the blank, which is allowed anyway
        silence = self.blank if self.boundary is None else self.boundary
        numbers = {
            "beam_size": options.beam,
            "beam_size_token": min(options.beam_size_token or self.size, self.size),
            "beam_threshold": options.beam_threshold,
            "lm_weight": options.weight if model is not None else 0.0,
            "sil_score": options.sil_weight or 0.0,
            "log_add": False,
            "criterion_type": flashlight.CriterionType.CTC,
        }
        if self.lexicon is None:
            return flashlight.LexiconFreeDecoder(
                flashlight.LexiconFreeDecoderOptions(**numbers), lm, silence, self.blank, []
            )
        of_words = {"word_score": options.score_of_word, "unk_score": -math.inf}
        return flashlight.LexiconDecoder(
            flashlight.LexiconDecoderOptions(**numbers, **of_words),
            self._trie,
            lm,
            silence,
            self.blank,
            -1,  # no unknown word: with a lexicon, none is ever decoded
            [],
            model is not None and model.of_symbols,
        )

    def _grow_trie(self, flashlight: Any) -> Any:
        """Spellings as a tree, each word with its look-ahead score."""
        lexicon, model = self.lexicon, self.language_model
        trie = flashlight.Trie(self.size, self.boundary if self.boundary is not None else self.blank)
        ahead = model is not None and not model.of_symbols
        lm = model.kenlm if model is not None else flashlight.ZeroLM()
        start = lm.start(False)
        for word, rows in lexicon.spellings:  # type: ignore[union-attr]
            trie.insert(rows, word, lm.score(start, word)[1] if ahead else 0.0)
        trie.smear(flashlight.SmearingMode.MAX)
        return trie
