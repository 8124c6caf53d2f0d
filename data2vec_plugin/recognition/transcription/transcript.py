"""A recording's transcript: segments between pauses, each with one hypothesis or several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List

from ..timed_words import TimedWord, text_of


@dataclass(frozen=True)
class Reading:
    """One hypothesis for a segment; ``score`` is the decoder's, higher is better."""

    score: float
    words: List[TimedWord]

    @property
    def text(self) -> str:
        """The words as one line."""
        return text_of(self.words)


@dataclass(frozen=True)
class Segment:
    """A stretch decoded as a whole, from ``start`` to ``end`` in seconds; the best hypothesis comes first."""

    start: float
    end: float
    readings: List[Reading]


@dataclass
class Transcript:
    """The transcript of a recording of ``seconds``."""

    seconds: float = 0.0
    segments: List[Segment] = field(default_factory=list)

    @property
    def words(self) -> List[TimedWord]:
        """The words of the best hypotheses, in order."""
        return [word for segment in self.segments for word in segment.readings[0].words]

    @property
    def text(self) -> str:
        """The words as one line; empty if there is no speech."""
        return text_of(self.words)
