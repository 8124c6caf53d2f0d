"""The error for unusable files of users."""

from __future__ import annotations

import os
from typing import Iterable, Optional, Union


class UnusableFileError(ValueError):
    """A file that cannot be used because of its content.

    Readers raise it `from` the original error; data sets catch only this one, so that a missing package or a bug of the
    plugin is never mistaken for a bad file. It can be rebuilt from one argument, which loader workers need to pass on
    exceptions.
    """

    path: str = ""
    line: Optional[int] = None
    fault: str = ""

    @classmethod
    def of(cls, path: Union[str, os.PathLike[str]], fault: str, line: Optional[int] = None) -> UnusableFileError:
        """The error of one file, or of one of its lines, which are counted from 1.

        ``fault`` says what was found, what is expected, and what to do.
        """
        shown = printable(os.fspath(path))
        error = cls(f"{shown}: {fault}" if line is None else f"{shown}, line {line}: {fault}")
        error.path, error.line, error.fault = os.fspath(path), line, fault
        return error


def printable(text: str) -> str:
    """Escape bytes of a name that are not UTF-8, such as ``\\udce9``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shown(text: str, width: int = 60) -> str:
    """Return the beginning of a line, in quotes, for a message."""
    return repr(text if len(text) <= width else text[:width] + "…")


def some(names: Iterable[str], limit: int = 3) -> str:
    """Join the first few names for a message; say how many more there are."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return printable(", ".join(every[:limit])) + more
