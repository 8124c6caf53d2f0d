"""A recording of any length -> pieces for a recogniser, cut in pauses, or where there is none at seams.

At a seam two windows overlap: of each only the frames are kept that have context on both sides, so that emissions
concatenate as if they had been computed at once, and no word is doubled or lost.
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

    A recording of up to ``window`` is not cut. ``pause`` is the shortest that is cut in; ``margin`` of it stays on
    either side. ``context`` is what a window hears beyond a seam.
    """

    way: str = PAUSES
    window: float = 20.0
    pause: float = 0.4
    margin: float = 0.1
    context: float = 2.0

    def check(self) -> None:
        """Raise ValueError for what cannot be."""
        if self.way not in WAYS:
            raise ValueError(f"`--cut` is {self.way!r}; expected {', '.join(WAYS)}")
        if not self.window >= 4 * self.context:
            raise ValueError(f"`--window` is {self.window:g}; expected {4 * self.context:g} seconds or more")
        if not self.pause >= 0.1:
            raise ValueError(f"`--pause` is {self.pause:g}; expected 0.1 seconds or more")

    def detector(self, rate: int) -> Optional[Detector]:
        """What tells pauses; None for windows alone. Raises ValueError if its package is missing."""
        if self.way == WINDOWS:
            return None
        return VoiceActivity(rate) if self.way == VAD else Loudness(rate)


@dataclass(frozen=True)
class Frames:
    """How a recogniser makes frames of samples: see :class:`~..recogniser.Recogniser`."""

    rate: int
    hop: int
    shortest: int

    def count(self, samples: int) -> int:
        """Frames of so many samples."""
        return max(0, (samples - self.shortest) // self.hop + 1)


@dataclass(frozen=True)
class Piece:
    """Samples for a recogniser, and which frames of them count.

    ``start`` is the place in the recording, in samples, of the first frame that counts. ``joined``: it goes on where
    the piece before ended.
    """

    samples: Samples
    start: int
    first: int
    count: int
    joined: bool = False


class Cutter:
    """Goes through one recording; see :func:`pieces`."""

    def __init__(self, blocks: Iterator[Samples], frames: Frames, cutting: Cutting) -> None:
        rate = frames.rate
        self.frames = frames
        self.window, self.pause = int(cutting.window * rate), int(cutting.pause * rate)
        self.margin = int(min(cutting.margin, cutting.pause / 2) * rate)
        self.context = int(cutting.context * rate) // frames.hop
        self.ahead = Ahead(blocks, cutting.detector(rate), rate)
        self.at = 0
        """What lies before has been dealt with."""
        self.origin: Optional[int] = None
        """Where the pieces began that are joined by seams up to here."""

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
        """Go to where the pause ends that may be here; True if its end is not known yet."""
        if not found or found[0][0] >= self.at + self.ahead.step:  # a sound may end within a step
            return False
        end = found[0][1]
        if end < limit:
            self.at = max(self.at, self.first_sound(end))
            return False
        self.at = limit if self.ahead.ended and limit == self.ahead.end else max(self.at + 1, limit - self.margin)
        return True

    def first_pause(self, found: Spans, horizon: int) -> Optional[Span]:
        """The first pause that is long enough and begins in the window, if there is one."""
        first = self.at + self.ahead.step
        return next((each for each in found if each[1] - each[0] >= self.pause and first <= each[0] <= horizon), None)

    def last_sound(self, pause: Span) -> int:
        """Where a piece ends before a pause: a margin into it, but not in what is exactly silent."""
        start = max(self.at, pause[0] - self.ahead.step)
        silent = self.ahead.silent_spans(start, pause[0] + self.margin)
        return next((start + first for first, end in silent if start + end > pause[0]), pause[0] + self.margin)

    def first_sound(self, end: int) -> int:
        """Where a piece begins at the end of a pause, likewise."""
        start = max(self.at, end - self.margin)
        silent = self.ahead.silent_spans(start, end + self.ahead.step)
        return next((start + behind for first, behind in reversed(silent) if start + first < end), start)

    def piece(self, end: int) -> Iterator[Piece]:
        """From here to ``end``, behind which nothing goes on; nothing if that is less than a frame."""
        start, lead = self.window_start()
        samples = self.ahead.between(start, end)
        count = self.frames.count(len(samples)) - lead
        if count > 0:
            yield Piece(samples, self.at, lead, count, joined=self.origin is not None)

    def window_up_to(self, seam: int) -> Iterator[Piece]:
        """From here to a seam, at which the next piece goes on; with context on its far side."""
        hop = self.frames.hop
        origin = self.at if self.origin is None else self.origin
        seam = max(origin + (seam - origin) // hop * hop, self.at + hop)
        start, lead = self.window_start()
        samples = self.ahead.between(start, seam + (self.context - 1) * hop + self.frames.shortest)
        count = min((seam - self.at) // hop, self.frames.count(len(samples)) - lead)
        yield Piece(samples, self.at, lead, count, joined=self.origin is not None)
        self.at, self.origin = seam, origin

    def window_start(self) -> Tuple[int, int]:
        """Where the samples of a piece from here on begin, and how many of its frames are context."""
        lead = 0 if self.origin is None else min(self.context, (self.at - self.origin) // self.frames.hop)
        return self.at - lead * self.frames.hop, lead


def pieces(blocks: Iterator[Samples], frames: Frames, cutting: Cutting) -> Iterator[Piece]:
    """Cut a recording, which is read as far ahead as a window and its context; the same for blocks of any size."""
    return Cutter(blocks, frames, cutting).pieces()
