"""One writer per folder: a writer holds a lock, which is released when its process ends, for whatever reason."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Dict, Iterator, Optional, Type

LOCK = ".data2vec.lock"
"""Name of the lock file; a killed process leaves it in the folder, where it does not block others."""

_held: Dict[str, str] = {}
"""This process's locks, by lock file: the system's lock keeps out other processes, not this one."""


class FolderInUseError(ValueError):
    """Another command writes into the folder."""


class FolderLock:
    """The lock of a folder, held from its creation to :meth:`release`, or as a context manager.

    A lock of the process (POSIX): its forked children, such as loader workers that live on for a moment after it was
    killed, do not hold it. It is also released if the process opens and closes the file elsewhere. File systems without
    locks (some network mounts) are written without one. Folders created for it that stay empty are removed with it.

    Args:
        folder: the folder to write.
        replaced: whether another folder will get its name, so that the lock is next to it.

    Raises:
        FolderInUseError: another process writes there; the message names its command and start time.
        OSError: the folder cannot be created or written.
    """

    def __init__(self, folder: Path, replaced: bool = False) -> None:
        self._made = [each for each in (folder, *folder.parents) if not each.exists()]
        if replaced:
            self._made = self._made[1:]
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.path = folder.resolve().with_name(f".{folder.resolve().name}{LOCK}")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self.path = folder.resolve() / LOCK
        self._file: Optional[IO[str]] = None
        key = str(self.path)
        if key in _held:
            raise FolderInUseError(_in_use(folder, _held[key]))
        self._file = file = self._taken(folder)
        _held[key] = _this_command()
        file.truncate(0)
        file.write(_held[key] + "\n")
        file.flush()

    def _taken(self, folder: Path) -> IO[str]:
        """Open and lock the file in its folder."""
        while True:
            file = self.path.open("a+", encoding="utf-8")
            if not _locked(file):
                file.seek(0)
                holder = file.read().strip()
                file.close()
                raise FolderInUseError(_in_use(folder, holder))
            if _is_there(file, self.path):
                return file
            file.close()  # its holder removed it while we were opening it

    def release(self) -> None:
        """Release the lock and remove its file; does nothing if called again."""
        if self._file is not None:
            self.path.unlink(missing_ok=True)  # while it is ours: a later one would be another's
            self._file.close()
            self._file = None
            _held.pop(str(self.path), None)
            with suppress(OSError):  # not empty, or gone
                for each in self._made:
                    each.rmdir()

    def __enter__(self) -> FolderLock:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self.release()


@contextmanager
def writing(*folders: Optional[Path]) -> Iterator[None]:
    """Hold the locks of several folders, each once; raises as :class:`FolderLock` does."""
    with ExitStack() as stack:
        for folder in {each.resolve(): each for each in folders if each is not None}.values():
            stack.enter_context(FolderLock(folder))
        yield


def _locked(file: IO[str]) -> bool:
    """Lock a file without waiting; return whether this process holds it, True on file systems without locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _is_there(file: IO[str], path: Path) -> bool:
    """Whether ``path`` is still the name of an open file."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _this_command() -> str:
    """Describe this process: its id, machine, the current time, and its command."""
    command = shlex.join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    return f"process {os.getpid()} on {platform.node()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}: {command}"


def _in_use(folder: Path, holder: str) -> str:
    by = holder or "another command"
    return f"{folder} is being written ({by}): wait for it, stop it, or use another folder"
