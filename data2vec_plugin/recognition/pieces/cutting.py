"""A recording of any length -> pieces for a recogniser, cut in pauses, or at seams if there are none.

At a seam two windows overlap: only frames with context on both sides are kept of each, so that emissions concatenate
as if they had been computed at once, and no word is duplicated or lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Optional, Tuple

from .ahead import Ahead, Spans
from .listening import Samples
from .pauses import Detector, Loudness, Span
from .voice_activity import VoiceActivity

PAUSES, VAD, WINDOWS = WAYS = ("pauses", "vad", "windows")


@dataclass(frozen=True)
class Cutting:
    """How recordings are cut; all in seconds.

    A recording of up to ``window`` is not cut. ``pause`` is the shortest pause to cut in; ``margin`` of it is kept on
    either side. ``context`` is how far a window extends beyond a seam.
    """

    way: str = PAUSES
    window: float = 20.0
    pause: float = 0.4
    margin: float = 0.1
    context: float = 2.0

    def check(self) -> None:
        """Raise ValueError for invalid settings."""
        if self.way not in WAYS:
            raise ValueError(f"`--cut` is {self.way!r}; expected {', '.join(WAYS)}")
        if not self.window >= 4 * self.context:
            raise ValueError(f"`--window` is {self.window:g}; expected {4 * self.context:g} seconds or more")
        if not self.pause >= 0.1:
            raise ValueError(f"`--pause` is {self.pause:g}; expected 0.1 seconds or more")

    def detector(self, rate: int) -> Optional[Detector]:
        """The detector of pauses; None for windows only. Raises ValueError if its package is missing."""
        if self.way == WINDOWS:
            return None
        return VoiceActivity(rate) if self.way == VAD else Loudness(rate)


@dataclass(frozen=True)
class Frames:
    """How a recogniser turns samples into frames: see :class:`~..recogniser.Recogniser`."""

    rate: int
    hop: int
    shortest: int

    def count(self, samples: int) -> int:
        """Number of frames in ``samples`` samples."""
        return max(0, (samples - self.shortest) // self.hop + 1)


@dataclass(frozen=True)
class Piece:
    """Samples for a recogniser, and which of their frames are kept.

    ``start`` is the position in the recording, in samples, of the first frame that is kept. ``joined``: it continues
    the previous piece without a gap.
    """

    samples: Samples
    start: int
    first: int
    count: int
    joined: bool = False


class Cutter:
    """Cuts one recording; see :func:`pieces`."""

    def __init__(self, blocks: Iterator[Samples], frames: Frames, cutting: Cutting) -> None:
        rate = frames.rate
        self.frames = frames
        self.window, self.pause = int(cutting.window * rate), int(cutting.pause * rate)
        self.margin = int(min(cutting.margin, cutting.pause / 2) * rate)
        self.context = int(cutting.context * rate) // frames.hop
        self.ahead = Ahead(blocks, cutting.detector(rate), rate)
        self.at = 0
        """Everything before this position has been cut."""
        self.origin: Optional[int] = None
        """Where the pieces joined by seams up to here began."""

    def pieces(self) -> Iterator[Piece]:
        """All pieces in order."""
        self.ahead.read_to(self.window + 1)
        if self.ahead.ended and self.ahead.end <= self.window:
            if not self.ahead.is_silent():
                yield from self.piece(self.ahead.end)
            return
        in_pause = True
        while True:
            horizon = self.at + self.window
            self.ahead.read_to(horizon + max(self.pause, self.context * self.frames.hop + self.frames.shortest))
            limit = min(self.ahead.end, horizon + self.pause)
            found = self.ahead.pauses(self.at, limit)
            if in_pause:
                in_pause = self.leave_pause(found, limit)
            elif pause := self.first_pause(found, horizon):
                end = self.last_sound(pause)
                yield from self.piece(end)
                self.at, self.origin, in_pause = max(end, pause[0]), None, True
            elif self.ahead.ended and self.ahead.end <= horizon:
                yield from self.piece(self.ahead.end)
                self.at = self.ahead.end
            else:
                yield from self.window_up_to(self.ahead.quietest(horizon - self.window // 2, horizon))
            if self.ahead.ended and self.ahead.end - self.at < self.frames.shortest:
                return
            self.ahead.forget(self.at - self.context * self.frames.hop - self.margin)

    def leave_pause(self, found: Spans, limit: int) -> bool:
        """Skip a pause at the current position, if there is one; True if its end has not been read yet."""
        if not found or found[0][0] >= self.at + self.ahead.step:  # a step may hold the end of a sound
            return False
        end = found[0][1]
        if end < limit:
            self.at = max(self.at, self.first_sound(end))
            return False
        self.at = limit if self.ahead.ended and limit == self.ahead.end else max(self.at + 1, limit - self.margin)
        return True

    def first_pause(self, found: Spans, horizon: int) -> Optional[Span]:
        """The first pause that is long enough and begins in the window; None if there is none."""
        first = self.at + self.ahead.step
        return next((each for each in found if each[1] - each[0] >= self.pause and first <= each[0] <= horizon), None)

    def last_sound(self, pause: Span) -> int:
        """Where a piece ends before a pause: a margin into it, but not within digital silence."""
        start = max(self.at, pause[0] - self.ahead.step)
        silent = self.ahead.silent_spans(start, pause[0] + self.margin)
        return next((start + first for first, end in silent if start + end > pause[0]), pause[0] + self.margin)

    def first_sound(self, end: int) -> int:
        """Where a piece begins at the end of a pause, likewise."""
        start = max(self.at, end - self.margin)
        silent = self.ahead.silent_spans(start, end + self.ahead.step)
        return next((start + behind for first, behind in reversed(silent) if start + first < end), start)

    def piece(self, end: int) -> Iterator[Piece]:
        """The piece from here to ``end``, after which nothing is joined; none if it is shorter than a frame."""
        start, lead = self.window_start()
        samples = self.ahead.between(start, end)
        count = self.frames.count(len(samples)) - lead
        if count > 0:
            yield Piece(samples, self.at, lead, count, joined=self.origin is not None)

    def window_up_to(self, seam: int) -> Iterator[Piece]:
        """The piece from here to a seam, where the next piece continues; with context after the seam."""
        hop = self.frames.hop
        origin = self.at if self.origin is None else self.origin
        seam = max(origin + (seam - origin) // hop * hop, self.at + hop)
        start, lead = self.window_start()
        samples = self.ahead.between(start, seam + (self.context - 1) * hop + self.frames.shortest)
        count = min((seam - self.at) // hop, self.frames.count(len(samples)) - lead)
        yield Piece(samples, self.at, lead, count, joined=self.origin is not None)
        self.at, self.origin = seam, origin

    def window_start(self) -> Tuple[int, int]:
        """Where the samples of a piece from here begin, and how many of its frames are context."""
        lead = 0 if self.origin is None else min(self.context, (self.at - self.origin) // self.frames.hop)
        return self.at - lead * self.frames.hop, lead


def pieces(blocks: Iterator[Samples], frames: Frames, cutting: Cutting) -> Iterator[Piece]:
    """Cut a recording, reading ahead by a window and its context; the result does not depend on the blocks' size."""
    return Cutter(blocks, frames, cutting).pieces()
