"""Praat's TextGrid format: tiers of consecutive intervals without gaps."""

from __future__ import annotations

from typing import Iterator, List, Sequence, Tuple

from ..recognition.timed_words import TimedWord

Interval = Tuple[float, float, str]


def textgrid(tiers: Sequence[Tuple[str, Sequence[TimedWord]]], seconds: float) -> str:
    """Tiers by name, in Praat's long text format; gaps between words are intervals without text."""
    end = max([seconds, *(word.end for _, words in tiers for word in words)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.4f}"]
    lines += ["tiers? <exists>", f"size = {len(tiers)}", "item []:"]
    for number, (name, words) in enumerate(tiers, start=1):
        intervals = list(filled(words, end))
        lines += [f"    item [{number}]:", '        class = "IntervalTier"', f'        name = "{quoted(name)}"']
        lines += ["        xmin = 0", f"        xmax = {end:.4f}", f"        intervals: size = {len(intervals)}"]
        for place, (start, stop, text) in enumerate(intervals, start=1):
            lines += [f"        intervals [{place}]:", f"            xmin = {start:.4f}"]
            lines += [f"            xmax = {stop:.4f}", f'            text = "{quoted(text)}"']
    return "\n".join(lines) + "\n"


def filled(words: Sequence[TimedWord], end: float) -> Iterator[Interval]:
    """Intervals from 0 to ``end``, each at least 0.0001 s long."""
    at = 0.0
    found: List[Interval] = []
    for word in words:
        start, stop = round(word.start, 4), round(word.end, 4)
        if start > at:
            found.append((at, start, ""))
        if stop > max(start, at):
            found.append((max(start, at), stop, word.text))
            at = stop
    if round(end, 4) > at:
        found.append((at, end, ""))
    return iter(found)


def quoted(text: str) -> str:
    """A text for double quotes: those in it are doubled."""
    return text.replace('"', '""')
