"""Files that people hand us, opened: what is no regular file, or may not be read, is told by its name."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from .unusable import UnusableFileError


def opened(path: Path) -> BinaryIO:
    """A file's bytes, from its beginning.

    Raises :class:`UnusableFileError` for what is not there, is a folder, a pipe or a device (which may have no end), or
    may not be read.
    """
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
            raise UnusableFileError.of(path, f"is {kind}; expected a file")
        return open(path, "rb")
    except FileNotFoundError as error:
        raise UnusableFileError.of(path, "no such file") from error
    except OSError as error:
        raise UnusableFileError.of(path, f"cannot be opened ({error.strerror})") from error


def read_bytes(path: Path) -> bytes:
    """The whole of a file; raises :class:`UnusableFileError` as :func:`opened` does."""
    with opened(path) as file:
        return file.read()
