"""Options of beam search, by fairseq's names: what they are, how a command takes them, the decoder they make."""

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
    """How a beam search goes; None: as fairseq has it, where it counts at all.

    Raises ValueError, by the option's name, for a value out of range and for one that would count for nothing.
    """

    beam: int = 50
    """How many readings are kept from frame to frame."""
    nbest: int = 1
    lexicon: Optional[Path] = None
    """Words and their spellings; without, any string of symbols may be read."""
    lm_model: Optional[Path] = None
    """ARPA, or KenLM's binary: of words with a lexicon, of symbols without (or with)."""
    lm_weight: Optional[float] = None
    """Of the language model's log10 beside the emissions' natural logarithms, of which 1 here is 0.43 (2)."""
    word_score: Optional[float] = None
    """Added for each word of the lexicon (-1)."""
    sil_weight: Optional[float] = None
    """Added for each frame of the boundary `|` (0)."""
    beam_threshold: float = 50.0
    """Readings this far behind the best are dropped."""
    beam_size_token: Optional[int] = None
    """How many symbols are tried in a frame (all)."""

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
            raise ValueError(f"`--word-score` is {self.word_score:g}, but words are a lexicon's: give `--lexicon`")

    def told(self) -> str:
        """The options in a line, by their names."""
        given = {"beam": self.beam, **self.search()}
        return ", ".join(f"{name}={value}" for name, value in given.items())

    def search(self) -> Dict[str, Any]:
        """What is searched with, besides the beam: numbers as they count, names of files."""
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
        """Weight of the language model."""
        return LM_WEIGHT if self.lm_weight is None else self.lm_weight

    @property
    def score_of_word(self) -> float:
        """What a word adds."""
        return WORD_SCORE if self.word_score is None else self.word_score


def _check_range(name: str, value: Optional[float], least: float, expected: str) -> None:
    if value is not None and not least <= value < math.inf:
        raise ValueError(f"`--{name.replace('_', '-')}` is {value:g}; expected {expected}")


def add_beam_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of beam search; :func:`beam_options` reads what was given."""
    group = parser.add_argument_group(
        "beam search", "greedy decoding, unless one of these is given; needs flashlight-text (extra `lm`)"
    )
    add = group.add_argument
    add("--beam", type=int, metavar="N", help="readings that are kept from frame to frame (50)")
    add("--nbest", type=int, metavar="N", help="readings to give of each recording (1)")
    add("--lexicon", type=Path, metavar="FILE", help="words and their spellings (`data2vec lm lexicon`)")
    add("--lm-model", type=Path, metavar="FILE", help="n-gram: ARPA (`data2vec lm build`), or KenLM's binary")
    add("--lm-weight", type=float, metavar="X", help="of the n-gram's log10 beside natural logarithms (2)")
    add("--word-score", type=float, metavar="X", help="added for each word of the lexicon (-1)")
    add("--sil-weight", type=float, metavar="X", help="added for each frame of the boundary | (0)")
    add("--beam-threshold", type=float, metavar="X", help="drop readings this far behind the best (50)")
    add("--beam-size-token", type=int, metavar="N", help="symbols that are tried in a frame (all)")
    add("--decoding", type=Path, metavar="FILE", help="options that `data2vec lm tune` found; those given go before")


def beam_options(given: Mapping[str, Any]) -> Optional[BeamOptions]:
    """Options out of parsed arguments (``vars(args)``), or None where none was given: decode greedily.

    ``--beam 1`` alone is greedy decoding, too.
    """
    names = {field.name for field in fields(BeamOptions)}
    chosen = {name: value for name, value in given.items() if name in names and value is not None}
    if given.get("decoding") is not None:
        from .overlay import read_overlay

        chosen = {**read_overlay(given["decoding"]), **chosen}
    return None if not chosen or chosen == {"beam": 1} else BeamOptions(**chosen)


def build_decoder(options: Optional[BeamOptions], symbols: Sequence[str], blank: int) -> Decoder:
    """The decoder for a dictionary's ``symbols``, in the order of the model's rows; ``options`` None: greedy.

    Raises ValueError for options, files and a Python with which nothing could be decoded.
    """
    if options is None:
        return GreedyCtcDecoder(blank)
    from .beam import BeamDecoder

    return BeamDecoder(options, symbols, blank)
