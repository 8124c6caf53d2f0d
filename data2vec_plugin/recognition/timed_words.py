"""Words with their times in seconds, and the plain tables that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, List


@dataclass(frozen=True)
class TimedWord:
    """A word, its start and end in seconds from the file's beginning, and a confidence from 0 to 1."""

    text: str
    start: float
    end: float
    confidence: float


def text_of(words: Iterable[TimedWord]) -> str:
    """The words as one line."""
    return " ".join(word.text for word in words)


def ctm(name: str, words: Iterable[TimedWord]) -> str:
    """NIST's CTM: one line per word, with file, channel, start, duration, word and confidence.

    Fields are separated by blanks, so blanks within one become ``_``.

    >>> ctm("a b", [TimedWord("YES", 0.5, 0.74, 0.987)])
    'a_b 1 0.500 0.240 YES 0.987\\n'
    """
    lines: List[str] = []
    for word in words:
        times = f"{word.start:.3f} {word.end - word.start:.3f}"
        lines.append(f"{joined(name)} 1 {times} {joined(word.text)} {word.confidence:.3f}\n")
    return "".join(lines)


def joined(text: str) -> str:
    """A text without blanks."""
    return "_".join(text.split())
