"""A waveform with its words as HTML: one strip that scrolls sideways, so that it fits into any width."""

from __future__ import annotations

import html
from typing import Iterable, List, Sequence

import numpy as np
from numpy.typing import NDArray

from ..recognition.timed_words import TimedWord

PIXELS_A_SECOND = 150.0
WIDEST = 30_000.0
"""Pixels; longer recordings have fewer a second."""
LEGIBLE = 50.0
"""Pixels a second from which words fit below the waveform."""
HEIGHT = 90
BAR = 3
"""Pixels from one bar of the waveform to the next."""
ROWS = 2
"""Rows in which words alternate, so that short ones do not cover each other."""


class Peaks:
    """The largest absolute value of every N samples, of a recording that is read in blocks."""

    def __init__(self, samples: int) -> None:
        self.samples = max(samples, 1)
        self._peaks: List[float] = []
        self._rest = np.zeros(0, np.float32)

    def add(self, block: NDArray[np.float32]) -> None:
        """Take the next samples (samples,)."""
        joined = np.concatenate([self._rest, np.abs(block)])
        whole = len(joined) // self.samples * self.samples
        self._peaks += joined[:whole].reshape(-1, self.samples).max(1).tolist() if whole else []
        self._rest = joined[whole:]

    def values(self) -> List[float]:
        """All peaks, the last of what is left."""
        return [*self._peaks, float(self._rest.max())] if len(self._rest) else list(self._peaks)


def pixels_a_second(seconds: float) -> float:
    """How wide a second is drawn in a recording of this length."""
    return min(PIXELS_A_SECOND, WIDEST / max(seconds, 1e-9))


def strip(peaks: Sequence[float], seconds: float, words: Sequence[TimedWord]) -> str:
    """Draw the waveform, and each word where it was said with its confidence, as HTML that holds no script.

    Args:
        peaks: evenly spaced over the recording.
        seconds: its length.
        words: the transcript.
    """
    scale = pixels_a_second(seconds)
    width = max(seconds * scale, 1.0)
    if scale < LEGIBLE:
        below = (
            '<div style="padding:4px 0">The recording is too long to show its words here; they are in the files.</div>'
        )
    else:
        chips = "".join(chip(word, number % ROWS, scale) for number, word in enumerate(words))
        below = f'<div style="position:relative;height:{ROWS * 44 + 4}px">{chips}</div>'
    return (
        '<div class="data2vec-strip" style="overflow-x:auto;width:100%" tabindex="0" aria-label="waveform with words">'
        f'<div style="width:{width:.0f}px;min-width:100%">{waveform(peaks, width)}{below}</div></div>'
    )


def waveform(peaks: Sequence[float], width: float) -> str:
    """The bars as SVG, as high as the loudest one allows."""
    loudest, step = max(peaks, default=0.0) or 1.0, width / max(len(peaks), 1)
    middle = HEIGHT / 2
    lines = "".join(
        f"M{(number + 0.5) * step:.1f} {middle - half:.1f}v{2 * half:.1f}"
        for number, half in ((number, max(peak / loudest * (middle - 2), 0.5)) for number, peak in enumerate(peaks))
    )
    return (
        f'<svg width="{width:.0f}" height="{HEIGHT}" role="img" aria-label="waveform" style="display:block">'
        f'<path d="{lines}" stroke="#4c6ef5" stroke-width="2" fill="none"/></svg>'
    )


def chip(word: TimedWord, row: int, scale: float) -> str:
    """One word below the waveform: its colour goes from red to green with the confidence, which it also shows."""
    hue, percent = 120 * min(max(word.confidence, 0.0), 1.0), f"{100 * word.confidence:.0f} %"
    left, width = word.start * scale, max((word.end - word.start) * scale, 4.0)
    place = f"position:absolute;left:{left:.0f}px;top:{row * 44}px;min-width:{width:.0f}px"
    look = f"border-top:4px solid hsl({hue:.0f} 65% 42%);line-height:1.2;white-space:nowrap;padding-right:6px"
    title = f"{word.start:.2f} to {word.end:.2f} s, confidence {percent}"
    return (
        f'<span class="data2vec-word" style="{place};{look}" title="{title}">{html.escape(word.text)}'
        f'<br><small style="opacity:.75">{percent}</small></span>'
    )


def peaks_of(blocks: Iterable[NDArray[np.float32]], seconds: float, rate: int) -> List[float]:
    """The bars of a recording of that many seconds at a rate in Hz."""
    peaks = Peaks(round(BAR / pixels_a_second(seconds) * rate))
    for block in blocks:
        peaks.add(block)
    return peaks.values()
