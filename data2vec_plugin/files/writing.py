"""Files written whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union

from .locks import FolderLock


@contextmanager
def replacing(path: Path, durably: bool = False) -> Iterator[Path]:
    """Context with a temporary path next to ``path``, renamed to ``path`` on success and deleted on failure.

    ``durably`` renames it with :func:`replace_durably`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if durably:
            replace_durably(part, path)
        else:
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Context with an empty folder next to ``folder``, which replaces it on success and is deleted on failure.

    Raises :class:`FolderInUseError` if another command is writing it.
    """
    folder = folder.resolve()
    part, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("part", "old"))
    with FolderLock(folder, replaced=True):
        try:
            part.mkdir()
            yield part
            if folder.exists():
                folder.rename(old)
            part.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def write_atomically(path: Path, content: Union[str, bytes]) -> None:
    """Write a file so that a reader, or a run cut short, never sees a part of it."""
    with replacing(path) as part:
        part.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)


def replace_durably(part: Path, path: Path) -> None:
    """Rename a complete file to its final path, so that after a power cut either the old or the new one exists."""
    _sync(part)
    part.replace(path)
    if os.name == "posix":
        _sync(path.parent)


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
