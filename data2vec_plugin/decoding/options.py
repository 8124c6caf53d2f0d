"""Options of beam search, by fairseq's names: their definition, their command line, the decoder built from them."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from .decoded import Decoder
from .greedy import GreedyCtcDecoder

LM_WEIGHT, WORD_SCORE = 2.0, -1.0
"""fairseq's defaults in recognition."""


@dataclass(frozen=True)
class BeamOptions:
    """Settings of a beam search; None: fairseq's default, where the option has an effect at all.

    Raises ValueError, naming the option, for a value out of range and for one that would have no effect.
    """

    beam: int = 50
    """Hypotheses kept from frame to frame."""
    nbest: int = 1
    lexicon: Optional[Path] = None
    """Words and their spellings; without a lexicon, any string of symbols is allowed."""
    lm_model: Optional[Path] = None
    """ARPA file or KenLM binary: of words or symbols with a lexicon, of symbols without one."""
    lm_weight: Optional[float] = None
    """Weight of the language model's log10; the emissions are natural logarithms, of which 1 here is 0.43 (2)."""
    word_score: Optional[float] = None
    """Added for each word of the lexicon (-1)."""
    sil_weight: Optional[float] = None
    """Added for each frame of the boundary `|` (0)."""
    beam_threshold: float = 50.0
    """Hypotheses whose score is this much below the best are dropped."""
    beam_size_token: Optional[int] = None
    """Symbols tried per frame (all)."""

    def __post_init__(self) -> None:
        for name in ("beam", "nbest", "beam_size_token"):
            _check_range(name, getattr(self, name), 1, "at least 1")
        _check_range("beam_threshold", self.beam_threshold, 0, "0 or more")
        _check_range("lm_weight", self.lm_weight, 0, "0 or more")
        for name in ("word_score", "sil_weight"):
            _check_range(name, getattr(self, name), -math.inf, "a number")
        if self.nbest > self.beam:
            raise ValueError(f"`--nbest` is {self.nbest}; expected at most `--beam`, which is {self.beam}: raise that")
        if self.lm_weight is not None and self.lm_model is None:
            raise ValueError(f"`--lm-weight` is {self.lm_weight:g}, but there is no language model: give `--lm-model`")
        if self.word_score is not None and self.lexicon is None:
            raise ValueError(f"`--word-score` is {self.word_score:g}, but only a lexicon has words: give `--lexicon`")

    def summary(self) -> str:
        """The options in a line, by their names."""
        given = {"beam": self.beam, **self.search()}
        return ", ".join(f"{name}={value}" for name, value in given.items())

    def search(self) -> Dict[str, Any]:
        """The settings of the search other than the beam: effective numbers, and names of files."""
        numbers = {
            "lexicon": self.lexicon and self.lexicon.name,
            "lm_model": self.lm_model and self.lm_model.name,
            "lm_weight": self.weight if self.lm_model else None,
            "word_score": self.score_of_word if self.lexicon else None,
            "sil_weight": self.sil_weight,
        }
        return {
            name: f"{value:g}" if isinstance(value, float) else value
            for name, value in numbers.items()
            if value is not None
        }

    @property
    def weight(self) -> float:
        """Effective weight of the language model."""
        return LM_WEIGHT if self.lm_weight is None else self.lm_weight

    @property
    def score_of_word(self) -> float:
        """Effective score of a word."""
        return WORD_SCORE if self.word_score is None else self.word_score


def _check_range(name: str, value: Optional[float], least: float, expected: str) -> None:
    if value is not None and not least <= value < math.inf:
        raise ValueError(f"`--{name.replace('_', '-')}` is {value:g}; expected {expected}")


def add_beam_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of beam search; :func:`beam_options` reads what was given."""
    group = parser.add_argument_group(
        "beam search", "decoding is greedy unless one of these is given; requires flashlight-text (extra `lm`)"
    )
    add = group.add_argument
    add("--beam", type=int, metavar="N", help="hypotheses kept from frame to frame (default: 50)")
    add("--nbest", type=int, metavar="N", help="hypotheses to write for each recording (default: 1)")
    add("--lexicon", type=Path, metavar="FILE", help="words and their spellings (`data2vec lm lexicon`)")
    add("--lm-model", type=Path, metavar="FILE", help="n-gram: ARPA file (`data2vec lm build`) or KenLM binary")
    add("--lm-weight", type=float, metavar="X", help="weight of the n-gram's log10 probability (default: 2)")
    add("--word-score", type=float, metavar="X", help="score added for each word of the lexicon (default: -1)")
    add("--sil-weight", type=float, metavar="X", help="score added for each frame of the boundary | (default: 0)")
    add(
        "--beam-threshold",
        type=float,
        metavar="X",
        help="drop hypotheses scoring this much below the best (default: 50)",
    )
    add("--beam-size-token", type=int, metavar="N", help="symbols tried per frame (default: all)")
    add(
        "--decoding",
        type=Path,
        metavar="FILE",
        help="options found by `data2vec lm tune`; options given here override them",
    )


def beam_options(given: Mapping[str, Any]) -> Optional[BeamOptions]:
    """Options from parsed arguments (``vars(args)``), or None if none was given: decode greedily.

    ``--beam 1`` without other options is greedy decoding, too.
    """
    names = {field.name for field in fields(BeamOptions)}
    chosen = {name: value for name, value in given.items() if name in names and value is not None}
    if given.get("decoding") is not None:
        from .overlay import read_overlay

        chosen = {**read_overlay(given["decoding"]), **chosen}
    return None if not chosen or chosen == {"beam": 1} else BeamOptions(**chosen)


def build_decoder(options: Optional[BeamOptions], symbols: Sequence[str], blank: int) -> Decoder:
    """The decoder for a dictionary's ``symbols``, in the order of the model's rows; ``options`` None: greedy.

    Raises ValueError for options, files or a Python version that cannot be decoded with.
    """
    if options is None:
        return GreedyCtcDecoder(blank)
    from .beam import BeamDecoder

    return BeamDecoder(options, symbols, blank)
