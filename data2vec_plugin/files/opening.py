"""Opens regular files only: anything else (pipes, sockets, devices) raises an error instead of blocking."""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO, Union

from .unusable import UnusableFileError

Path = Union[str, "os.PathLike[str]"]

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors that do not depend on the file: too many open files, or too little memory."""


def kind(mode: int) -> str:
    """The kind of a path that is not a regular file, by its mode."""
    return next((name for is_kind, name in KINDS if is_kind(mode)), "not a regular file")


def opened(path: Path) -> BinaryIO:
    """Open a file to read its bytes.

    Raises :class:`UnusableFileError` for a path that is missing, may not be read, or is not a regular file. Other files
    are not even opened: a pipe would block, a device might never end, and a tape would rewind.
    """
    try:
        _refuse_others(path, os.stat(path).st_mode)
        # do not block if the file has been replaced in between
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except UnusableFileError:
        raise
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            raise
        raise unreadable(path, error) from error
    except ValueError as error:  # a NUL in a name
        raise UnusableFileError.of(path, f"cannot be opened ({error})") from error
    file = os.fdopen(number, "rb")
    try:
        _refuse_others(path, os.fstat(number).st_mode)
    except UnusableFileError:
        file.close()
        raise
    return file


def _refuse_others(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise UnusableFileError.of(path, f"is {kind(mode)}; expected a file")


def unreadable(path: Path, error: OSError) -> UnusableFileError:
    """Return the error for a file that the operating system cannot open or read."""
    if isinstance(error, FileNotFoundError):
        return UnusableFileError.of(path, "no such file")
    return UnusableFileError.of(path, f"cannot be read ({error.strerror or error})")


def size_of(file: BinaryIO) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def read_bytes(path: Path) -> bytes:
    """Read a whole file; raises :class:`UnusableFileError` as :func:`opened` does."""
    with opened(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise unreadable(path, error) from error


def read_part(path: Path, offset: int, length: int) -> bytes:
    """Read ``length`` bytes from ``offset`` on; raises :class:`UnusableFileError` if the file is shorter."""
    with opened(path) as file:
        there = size_of(file) - offset
        if offset < 0 or length < 0 or there < length:
            raise UnusableFileError.of(
                path, f"ends after {max(there, 0):,} of {length:,} bytes, which should begin at {offset:,}"
            )
        try:
            file.seek(offset)
            return file.read(length)
        except OSError as error:
            raise unreadable(path, error) from error


def said_size(size: float) -> str:
    """Format a number of bytes for people.

    >>> said_size(61_440), said_size(3 * 2**30)
    ('60 KB', '3 GB')
    """
    for unit in ("bytes", "KB", "MB", "GB"):
        if size < 1024 or unit == "GB":
            break
        size /= 1024
    return f"{size:.0f} {unit}"
