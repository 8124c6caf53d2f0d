"""The result of decoding one recording, and the interface of decoders."""

from dataclasses import dataclass
from typing import List, Optional, Protocol

from torch import Tensor


@dataclass(frozen=True)
class Decoded:
    """One hypothesis for a recording: symbols without blanks and repeats, and the frames of each.

    All scores are natural logarithms. Frames are rows of the emissions.
    """

    tokens: List[int]
    """Rows of the dictionary, (N,)."""
    frames: List[int]
    """First frame of each token, (N,)."""
    ends: List[int]
    """The frame after the last of each token, (N,)."""
    scores: List[float]
    """Log-probability of each token at its first frame, (N,)."""
    score: float
    """Score of the whole; of several hypotheses the one with the highest comes first."""
    words: Optional[List[str]] = None
    """Words of the lexicon, if one was used, (M,)."""
    word_ends: Optional[List[int]] = None
    """Number of tokens up to the end of each of ``words``, (M,)."""


class Decoder(Protocol):
    """Decodes the emissions of one recording."""

    def decode(self, emissions: Tensor) -> List[Decoded]:
        """Hypotheses for ``emissions``, (T, V) float32 log-probabilities on the CPU: best first, at least one."""


def runs(path: List[int]) -> List["tuple[int, int, int]"]:
    """Symbol, first frame and the frame after the last of each run of equal symbols in a path of T frames.

    >>> runs([0, 5, 5, 0])
    [(0, 0, 1), (5, 1, 3), (0, 3, 4)]
    """
    starts = [t for t in range(len(path)) if t == 0 or path[t] != path[t - 1]]
    return [(path[start], start, end) for start, end in zip(starts, [*starts[1:], len(path)])]
