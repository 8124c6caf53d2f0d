"""The log file that a run keeps next to its checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Optional

from ..files.locks import FolderLock

LOG = "train.log"


def keep_log(checkpoint: Any) -> Optional[Path]:
    """Write what is logged from here on to `train.log` next to the checkpoints too, for `data2vec report`.

    A resumed run appends; the next training of the same process, in a sweep, closes the previous file. While it is
    open, no other run may save to the folder.

    Raises:
        FolderInUseError: another run saves there.
        OSError: the file exists and cannot be written, for example because it is another user's.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
        root.removeHandler(handler)
        handler.close()
    if checkpoint.no_save:
        return None
    folder = Path(checkpoint.save_dir)
    lock = FolderLock(folder)
    try:
        handler = _open(folder / LOG)
    except OSError:
        lock.release()
        raise
    handler.folder_lock = lock
    handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)s | %(name)s | %(message)s"))
    root.addHandler(handler)
    return folder / LOG


def _open(path: Path) -> RunLog:
    try:
        return RunLog(path, encoding="utf-8")
    except OSError as error:
        raise type(error)(
            error.errno,
            f"the log of this run would be {str(path)!r}, in `checkpoint.save_dir`, which cannot be written "
            f"({error.strerror or error}): move the file away or make it writable, or choose another folder",
        ) from error


class RunLog(logging.FileHandler):
    """The log file of one run, which holds the lock on its folder until it is closed."""

    folder_lock: Optional[FolderLock] = None

    def close(self) -> None:
        """Close the file, and release the folder."""
        super().close()
        if self.folder_lock is not None:
            self.folder_lock.release()
