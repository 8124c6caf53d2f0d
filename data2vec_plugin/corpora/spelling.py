"""Transcripts as words of letters, and as letters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from typing import Callable, Dict, Tuple

BOUNDARY = "|"
APOSTROPHES = str.maketrans("\u2018\u2019\u02bc\u2032`\u00b4", "''''''")
INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200c\u200d\u200e\u200f\u2060\ufeff"))
"""Soft hyphens, joiners and marks of direction, which have no sound and do not end a word."""
CASES: Dict[str, Callable[[str], str]] = {"upper": str.upper, "lower": str.lower, "keep": str}
BACK: Dict[str, Callable[[str], str]] = {"upper": str.lower, "lower": str.upper, "keep": str}


@dataclass
class Losses:
    """What cleaning loses of texts: dropped characters that are no letters, and letters merged with others."""

    dropped: Counter[str] = field(default_factory=Counter)
    merged: Counter[Tuple[str, str]] = field(default_factory=Counter)
    """A letter and its result, if the opposite case of the result is another letter."""


def clean(text: str, case: str, losses: Losses) -> str:
    """Return the words of a text, of letters and apostrophes only, in a ``case``; count what is lost.

    A dropped character becomes a word boundary, so that `well-known` stays two words. Invisible characters within
    words, such as the joiners of Hindi and Persian, are removed without one.
    """
    text = unicodedata.normalize("NFKC", text).translate(APOSTROPHES).translate(INVISIBLE)
    changed = CASES[case](text)
    if BACK[case](changed) != BACK[case](text):  # rare: only then look at every letter
        losses.merged.update((letter, CASES[case](letter)) for letter in text if is_merged(letter, case))
    kept = []
    for character in changed:
        letter = unicodedata.category(character)[0] in "LM" or character == "'"
        kept.append(character if letter else " ")
        if not (letter or character.isspace()):
            losses.dropped[character] += 1
    return " ".join(word for word in "".join(kept).split() if word.strip("'"))


def is_merged(letter: str, case: str) -> bool:
    """Whether a letter has the same form as another one in a case, as Turkish \u0131, whose capital is that of i.

    >>> is_merged("\u0131", "upper"), is_merged("i", "upper"), is_merged("\u00df", "upper")
    (True, False, True)
    """
    return BACK[case](CASES[case](letter)) != BACK[case](letter)


def spell(text: str) -> str:
    """Write words as letters, each word closed by a boundary: `T H E | D O G |`."""
    return " ".join(" ".join(word) + f" {BOUNDARY}" for word in text.split())
