"""The part of a recording in memory while it is cut: from the current position to the end of what has been read."""

from __future__ import annotations

from typing import Iterator, List, Optional

import numpy as np

from .listening import Samples
from .pauses import Detector, Loudness, Span, Values, smoothed, spans

SILENT = 1e-5
"""Less than a third of the smallest non-zero value of 16 bits."""
SEAM = 0.1
"""Seconds over which loudness is averaged to find a quiet position for a seam."""
Spans = List[Span]


class Ahead:
    """Samples of a recording from a position on, with the pause detector's values; all positions are in samples."""

    def __init__(self, blocks: Iterator[Samples], detector: Optional[Detector], rate: int) -> None:
        self._blocks = blocks
        self._detector = detector
        self._rate = rate
        self.step = 1 if detector is None else detector.step
        self._start = 0
        self._samples: Samples = np.zeros(0, np.float32)
        self._values: Values = np.zeros(0, np.float32)
        self.ended = False

    @property
    def end(self) -> int:
        """The position after the last sample read."""
        return self._start + len(self._samples)

    def read_to(self, end: int) -> None:
        """Read until samples up to ``end`` are in memory, or the recording ends."""
        parts, known = [self._samples], self.end
        while known < end and not self.ended:
            block = next(self._blocks, None)
            self.ended = block is None
            taken = np.zeros(0, np.float32) if block is None else block
            if self._detector is not None:
                self._values = np.concatenate([self._values, self._detector.values(taken, self.ended)])
            parts.append(taken)
            known += len(taken)
        if len(parts) > 1:
            self._samples = np.concatenate(parts)

    def forget(self, before: int) -> None:
        """Drop whole steps before a position."""
        steps = max(0, before - self._start) // self.step
        self._samples, self._values = self._samples[steps * self.step :], self._values[steps:]
        self._start += steps * self.step

    def between(self, start: int, end: int) -> Samples:
        """The samples of a span, as far as they are in memory."""
        return self._samples[
            max(0, start - self._start) : max(0, end - self._start)
        ].copy()  # a view would keep all in memory

    def is_silent(self) -> bool:
        """Whether everything in memory is silent: no speech is possible."""
        if self._detector is not None:
            return self._detector.is_silent(self._values)
        loudness = Loudness(self._rate)
        return loudness.is_silent(loudness.values(self._samples, last=True))

    def pauses(self, start: int, end: int) -> Spans:
        """Pauses in a span, none without a detector; one that reaches the span's end may continue after it."""
        if self._detector is None:
            return []
        low, high = (start - self._start) // self.step, -(-(end - self._start) // self.step)
        base = self._start + low * self.step
        found = self._detector.pauses(self._values[low:high])
        return [(max(start, base + a * self.step), min(end, base + b * self.step)) for a, b in found]

    def quietest(self, start: int, end: int) -> int:
        """The quietest position in a span; without a detector its end."""
        if self._detector is None:
            return end
        low, high = -(-(start - self._start) // self.step), (end - self._start) // self.step
        width = max(1, round(SEAM * self._rate / self.step))
        quiet = low + int(np.argmin(smoothed(self._values[low:high], width)))
        return self._start + quiet * self.step + self.step // 2

    def silent_spans(self, start: int, end: int) -> Spans:
        """Spans of at least a hundredth of a second without any sound, relative to ``start``."""
        found = spans(np.abs(self.between(start, end)) < SILENT)
        return [span for span in found if span[1] - span[0] >= self._rate // 100]
