"""Lengths of recordings as text."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A length in the unit that people would use.

    >>> duration(4.2), duration(90), duration(9000)
    ('4.2 s', '1.5 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
