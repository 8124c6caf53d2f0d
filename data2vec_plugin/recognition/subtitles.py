"""Words -> readable subtitles: SubRip (SRT) and WebVTT.

The limits are those that broadcasters and streaming services ask for: two lines of 42 characters, 17 characters a
second, from 5/6 of a second to 7 seconds (Netflix's Timed Text Style Guide: General Requirements; BBC's Subtitle
Guidelines are close).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Iterator, List, Optional, Sequence, Tuple

from .timed_words import TimedWord, text_of

LINE = 42
"""Columns of a line; a wide East Asian character counts as two, a combining mark as none."""
SPEED = 17.0
"""Characters that viewers read in a second."""
SHORTEST, LONGEST = 5 / 6, 7.0
"""Shortest and longest display of a subtitle, in seconds."""
PAUSE = 0.6
"""Seconds without a word after which another subtitle begins."""
APART = 0.084
"""Seconds between two subtitles, so that the change is visible: two frames of film."""


@dataclass(frozen=True)
class Cue:
    """One subtitle: milliseconds from the beginning, and one or two lines."""

    start: int
    end: int
    lines: Tuple[str, ...]


def cues_of(words: Sequence[TimedWord]) -> List[Cue]:
    """Subtitles of words in order of time: none overlap, no word is lost; a word too long for a line is split.

    A subtitle is shown longer than its words, up to the next one, if it could not be read in their time.
    """
    pieces = [piece for word in words for piece in cut_to_lines(word)]
    groups = [group for phrase in phrases(pieces) for group in split_to_fit(phrase)]
    cues: List[Cue] = []
    behind = 0
    for group, following in zip(groups, [*groups[1:], None]):
        start = max(behind, milliseconds(group[0].start))
        end = max(start + 1, milliseconds(last_moment(group, following[0].start if following else None)))
        cues.append(Cue(start, end, laid_out(group) or (text_of(group),)))
        behind = end
    return cues


def phrases(words: Sequence[TimedWord]) -> Iterator[List[TimedWord]]:
    """The words between pauses."""
    phrase: List[TimedWord] = []
    for word in words:
        if phrase and word.start - phrase[-1].end >= PAUSE:
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase


def split_to_fit(phrase: List[TimedWord]) -> List[List[TimedWord]]:
    """A phrase in parts that fit a subtitle, split at the longest pause near the middle."""
    pending, found = [phrase], []
    while pending:
        part = pending.pop()
        if len(part) == 1 or (laid_out(part) and part[-1].end - part[0].start <= LONGEST):
            found.append(part)
        else:
            cut = best_cut(part)
            pending += [part[cut:], part[:cut]]
    return found


def best_cut(part: Sequence[TimedWord]) -> int:
    """The word to split before: at the longest gap within the middle half; of equal gaps at the most central."""
    quarter = len(part) // 4
    places = range(max(1, quarter), max(2, len(part) - quarter))
    return max(places, key=lambda at: (round(part[at].start - part[at - 1].end, 3), -abs(2 * at - len(part))))


def last_moment(group: Sequence[TimedWord], following: Optional[float]) -> float:
    """The time at which a subtitle disappears, in seconds; ``following`` is when the next one begins."""
    start, spoken = group[0].start, group[-1].end
    readable = start + max(SHORTEST, columns(text_of(group)) / SPEED)
    end = min(max(spoken, readable), start + LONGEST)
    if following is None:
        return end
    return min(end, following) if following - spoken < APART else min(end, following - APART)


def laid_out(words: Sequence[TimedWord]) -> Tuple[str, ...]:
    """One line, or two of lengths as equal as possible; empty if they do not fit."""
    text = text_of(words)
    if columns(text) <= LINE:
        return (text,)
    if columns(text) > 2 * LINE + 1:
        return ()
    halves = [(text_of(words[:at]), text_of(words[at:])) for at in range(1, len(words))]
    fitting = [half for half in halves if max(map(columns, half)) <= LINE]
    return min(fitting, key=lambda half: abs(columns(half[0]) - columns(half[1])), default=())


def cut_to_lines(word: TimedWord) -> Iterator[TimedWord]:
    """A word, or if it is too long for a line its parts, which divide its time by their width.

    Such words occur in scripts without blanks between words.
    """
    whole, start, done = columns(word.text), word.start, 0
    for part in parts_of(word.text):
        done += columns(part)
        end = word.end if done >= whole else word.start + (word.end - word.start) * done / whole
        yield TimedWord(part, start, end, word.confidence)
        start = end


def parts_of(text: str) -> Iterator[str]:
    """A text in parts that fit a line; combining marks stay with the letter before them."""
    part, width = "", 0
    for character in text:
        wide = columns(character)
        if part and width + wide > LINE:
            yield part
            part, width = "", 0
        part, width = part + character, width + wide
    if part:
        yield part


def columns(text: str) -> int:
    """Display width of a text.

    >>> columns("né"), columns("ne\u0301"), columns("한국")
    (2, 2, 4)
    """
    if text.isascii():
        return len(text)
    return sum(_column(character) for character in text)


def _column(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def milliseconds(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(1000 * seconds)


def srt(cues: Sequence[Cue]) -> str:
    """SubRip: numbered, comma before the milliseconds. An arrow in a text becomes ``→``, since it would mark times."""
    blocks = (
        f"{number}\n{clock(cue.start, ',')} --> {clock(cue.end, ',')}\n" + "\n".join(cue.lines).replace("-->", "→")
        for number, cue in enumerate(cues, start=1)
    )
    return "".join(f"{block}\n\n" for block in blocks)


def vtt(cues: Sequence[Cue]) -> str:
    """WebVTT, its special characters escaped."""
    blocks = (f"{clock(cue.start, '.')} --> {clock(cue.end, '.')}\n{escaped(cue.lines)}" for cue in cues)
    return "WEBVTT\n\n" + "".join(f"{block}\n\n" for block in blocks)


def escaped(lines: Sequence[str]) -> str:
    """Lines of text with WebVTT's escapes."""
    return "\n".join(lines).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clock(time: int, point: str) -> str:
    """Milliseconds -> ``hh:mm:ss.mmm``.

    >>> clock(3_723_004, ",")
    '01:02:03,004'
    """
    seconds, milli = divmod(time, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{point}{milli:03d}"
