"""Times of the words and letters of a known text, in seconds, and a score for how well it matches its recording.

CTC outputs a letter in one frame or two, somewhere within its sound, and blanks around it; the frame of a word's first
letter is 40 ms late on average, that of its last as much too early. The boundary symbol between words lies between
both: its frame is used as the end of one word and the beginning of the next, unless it is more than `REACH` from their
letters. An edge within a pause moves to where the pause ends or begins. In long pauses letters are penalised: a model
that has heard no silence in training outputs letters there. `examples/quickstart/word_times.py` measures the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence

import numpy as np
import torch
from torch import Tensor

from ..decoding.decoded import Decoded
from ..decoding.forced import along, best_path
from ..decoding.greedy import GreedyCtcDecoder
from ..decoding.words import words_of
from ..recognition.timed_words import TimedWord
from .hearing import Heard, Seconds
from .spelling_out import Speller

REACH = 0.12
"""Most seconds that a word extends beyond the middle of its first and last letters' frames."""
LEAD = 0.04
"""Seconds by which the first word begins before its first letter's frame."""
EDGE = 0.1
"""Shortest pause, in seconds, that a word's edge is moved out of: stops within words are shorter."""
SILENCE = 0.2
"""Shortest pause, in seconds, in which letters are penalised."""
UNLIKELY = 10.0
"""The penalty of letters there, in natural logarithms of their probability."""
LEAST = 0.01
"""Shortest word, in seconds."""


@dataclass(frozen=True)
class AlignedWord:
    """A word in the dictionary's spelling, and its letters or pieces."""

    word: TimedWord
    letters: List[TimedWord]


@dataclass(frozen=True)
class Alignment:
    """A text and its recording.

    ``words`` are in the dictionary's spelling; ``written`` are the text's own, each of which may be several of them.
    ``score`` shows how well the text matches the recording (:func:`score`), ``heard`` is the model's own transcript.
    """

    words: List[AlignedWord]
    written: List[TimedWord]
    score: float
    heard: str
    symbols: int


def align_text(heard: Heard, text: str, speller: Speller, symbols: Sequence[str], blank: int) -> Alignment:
    """Align a text with a recording; raises ValueError for a text that cannot be spelled, or is too long."""
    spelled = speller.spell(text)
    rows = speller.sequence(spelled)
    decoded = along(best_path(without_pauses(heard, blank), rows, blank), heard.emissions, blank)
    words = words_in_time(decoded, spelled.rows, spelled.words, speller.boundary is not None, symbols, heard)
    written, at = [], 0
    for text_word, count in spelled.written:
        group = [each.word for each in words[at : at + count]]
        confidence = float(np.exp(np.mean([np.log(max(each.confidence, 1e-30)) for each in group])))
        written.append(TimedWord(text_word, group[0].start, group[-1].end, confidence))
        at += count
    (greedy,) = GreedyCtcDecoder(blank).decode(heard.emissions.double())
    said = " ".join(word.text for word in words_of(greedy, symbols))
    return Alignment(words, written, score(decoded, greedy), said, len(rows))


def without_pauses(heard: Heard, blank: int) -> Tensor:
    """Emissions in which letters are unlikely in pauses."""
    silent = np.zeros(len(heard.middles), dtype=bool)
    for start, end in heard.pauses:
        if end - start >= SILENCE:
            silent |= (heard.middles >= start) & (heard.middles < end)
    changed = heard.emissions.clone()
    lost = torch.full((changed.size(1),), UNLIKELY)
    lost[blank] = 0
    changed[torch.from_numpy(silent)] -= lost
    return changed


def words_in_time(
    decoded: Decoded,
    rows: Sequence[List[int]],
    words: Sequence[str],
    bounded: bool,
    symbols: Sequence[str],
    heard: Heard,
) -> List[AlignedWord]:
    """The time of each word; ``bounded``: each is followed by a boundary among the tokens."""
    firsts, lasts = heard.middles[decoded.frames], heard.middles[np.asarray(decoded.ends) - 1]
    pauses = [pause for pause in heard.pauses if pause[1] - pause[0] >= EDGE]
    found: List[AlignedWord] = []
    at, cut = 0, max(0.0, float(firsts[0]) - LEAD)
    for word, own in zip(words, rows):
        first, last = at, at + len(own) - 1
        at += len(own) + bounded
        start = max(cut, firsts[first] - REACH)
        if bounded:
            cut = float(firsts[last + 1] + lasts[last + 1]) / 2
        else:
            cut = float(lasts[last] + firsts[at]) / 2 if at < len(firsts) else heard.seconds
        span = out_of_pauses((start, min(cut, lasts[last] + REACH)), pauses)
        start = max(span[0], found[-1].word.end if found else 0.0)
        end = max(span[1], start + LEAST)
        edges = [start, *((lasts[first:last] + firsts[first + 1 : last + 1]) / 2).clip(start, end), end]
        scores = decoded.scores[first : last + 1]
        letters = [
            TimedWord(symbols[row], float(edges[place]), float(edges[place + 1]), probability([scores[place]]))
            for place, row in enumerate(own)
        ]
        found.append(AlignedWord(TimedWord(word, float(start), float(end), probability(scores)), letters))
    return found


def out_of_pauses(span: Seconds, pauses: Sequence[Seconds]) -> Seconds:
    """A span whose edges are moved out of pauses, unless all of it is within one."""
    start, end = span
    for begin, over in pauses:
        if begin <= start < over < end:
            start = over
        if start < begin < end <= over:
            end = begin
    return start, end


def probability(scores: Sequence[float]) -> float:
    """exp(mean log-probability)."""
    return float(min(1.0, np.exp(np.mean(scores))))


def score(decoded: Decoded, greedy: Decoded) -> float:
    """How much less likely a text is than the model's own transcript: 0 at best.

    (log P(text's path) - log P(likeliest path)) / symbols of the longer of both: a text with too much is found as well
    as one that lacks something, and scores of long and short texts are comparable.
    """
    return (decoded.score - greedy.score) / max(len(greedy.tokens), len(decoded.tokens))
