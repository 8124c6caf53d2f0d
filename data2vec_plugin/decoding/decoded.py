"""What a decoder makes of the scores of one recording."""

from dataclasses import dataclass
from typing import List, Optional, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Decoded:
    """One reading of a recording: symbols without blanks and repeats, and where each stands.

    All scores are natural logarithms. Frames are rows of the emissions.
    """

    tokens: List[int]
    """Rows of the dictionary, (N,)."""
    frames: List[int]
    """First frame of each token, (N,)."""
    ends: List[int]
    """The frame behind the last of each token, (N,)."""
    scores: List[float]
    """Log-probability of each token at its first frame, (N,)."""
    score: float
    """Of the whole; of several readings the one with the highest comes first."""
    words: Optional[List[str]] = None
    """Words of the lexicon, if one was decoded with, (M,)."""
    word_ends: Optional[List[int]] = None
    """How many tokens have been read where each of ``words`` ends, (M,)."""


class Decoder(Protocol):
    """Reads the emissions of one recording."""

    def decode(self, emissions: Tensor) -> List[Decoded]:
        """Readings of ``emissions``, (T, V) float32 log-probabilities on the CPU: best first, never none."""


def runs(path: List[int]) -> List["tuple[int, int, int]"]:
    """Symbol, first frame and the frame behind the last of each run of equal symbols in a path of T frames.

    >>> runs([0, 5, 5, 0])
    [(0, 0, 1), (5, 1, 3), (0, 3, 4)]
    """
    starts = [t for t in range(len(path)) if t == 0 or path[t] != path[t - 1]]
    return [(path[start], start, end) for start, end in zip(starts, [*starts[1:], len(path)])]
