"""Pauses detected by loudness: quieter than the surroundings, near the noise level, and as steady as noise."""

from __future__ import annotations

from typing import List, Protocol, Tuple

import numpy as np
from numpy.typing import NDArray

from .listening import Samples

Values = NDArray[np.float32]
Span = Tuple[int, int]
"""First step, and the one after the last."""

STEPS_A_SECOND = 100
FLOOR = -85.0
"""Silence in any case, in dB relative to full scale; 16 bits end at about -98."""
ABOVE_NOISE = 6.0, 12.0
"""Least and most dB by which a pause may exceed the noise; in between it is a share of the distance from the noise to
the loudest."""
SHARE = 0.3
STEADY = 10.0
"""Most dB between the 5th and the 95th percentile in a pause: speech varies by more, however soft it is."""


class Detector(Protocol):
    """Detects pauses in a recording that is read block by block.

    ``step`` samples share a value; low values are pauses.
    """

    step: int

    def values(self, samples: Samples, last: bool) -> Values:
        """The values of the steps that ``samples`` complete; with ``last`` also of the final, incomplete step."""

    def pauses(self, values: Values) -> List[Span]:
        """Runs of steps without speech, of any length."""

    def is_silent(self, values: Values) -> bool:
        """Whether a whole recording has no possible speech."""


class Steps:
    """Samples in steps of one length, across blocks."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._rest: Samples = np.zeros(0, np.float32)

    def take(self, samples: Samples, last: bool) -> Samples:
        """(steps, ``size``): the steps completed so far; the ``last`` step is padded with its own last sample."""
        joined = np.concatenate([self._rest, samples])
        if last and len(joined) % self.size:
            joined = np.pad(joined, (0, -len(joined) % self.size), mode="edge")
        whole = len(joined) // self.size * self.size
        self._rest = joined[whole:]
        return joined[:whole].reshape(-1, self.size)


class Loudness:
    """A :class:`Detector` that needs only the samples: dB of every hundredth of a second."""

    def __init__(self, rate: int) -> None:
        self.step = max(rate // STEPS_A_SECOND, 1)
        self._steps = Steps(self.step)

    def values(self, samples: Samples, last: bool) -> Values:
        """Mean power in dB below full scale."""
        power = np.square(self._steps.take(samples, last), dtype=np.float64).mean(1)
        return (10 * np.log10(power + 1e-12)).astype(np.float32)

    def pauses(self, values: Values) -> List[Span]:
        """Runs below a threshold that follows noise and speech, except those that vary as speech does."""
        if len(values) == 0:
            return []
        heard = np.maximum(values, FLOOR)
        noise = float(np.percentile(heard, 10))
        loudest = float(smoothed(heard, 5).max())
        above = float(np.clip(SHARE * (loudest - noise), *ABOVE_NOISE))
        return [span for span in spans(heard < noise + above) if is_steady(heard[slice(*span)])]

    def is_silent(self, values: Values) -> bool:
        """Whether there is next to no sound."""
        return bool((values < FLOOR + ABOVE_NOISE[0]).all())


def spans(flags: NDArray[np.bool_]) -> List[Span]:
    """Runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in zip(edges[::2], edges[1::2])]


def is_steady(values: Values) -> bool:
    """Whether loudness varies as little as that of noise."""
    low, high = np.percentile(values, (5, 95))
    return bool(high - low <= STEADY)


def smoothed(values: Values, width: int) -> Values:
    """The mean of ``width`` neighbours."""
    if len(values) < width:
        return np.full(len(values), values.mean(), np.float32) if len(values) else values
    padded = np.pad(values, (width // 2, (width - 1) // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), "valid").astype(np.float32)
