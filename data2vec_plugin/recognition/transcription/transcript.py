"""What was said in a recording: segments between pauses, each with one reading or several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List

from ..timed_words import TimedWord, text_of


@dataclass(frozen=True)
class Reading:
    """One way to read a segment; ``score`` is the decoder's, higher is better."""

    score: float
    words: List[TimedWord]

    @property
    def text(self) -> str:
        """The words as one line."""
        return text_of(self.words)


@dataclass(frozen=True)
class Segment:
    """What was decoded at once, from ``start`` to ``end`` in seconds; the best reading comes first."""

    start: float
    end: float
    readings: List[Reading]


@dataclass
class Transcript:
    """A recording of ``seconds``, as it was understood."""

    seconds: float = 0.0
    segments: List[Segment] = field(default_factory=list)

    @property
    def words(self) -> List[TimedWord]:
        """The words of the best readings, in order."""
        return [word for segment in self.segments for word in segment.readings[0].words]

    @property
    def text(self) -> str:
        """The words as one line; empty where nobody spoke."""
        return text_of(self.words)
