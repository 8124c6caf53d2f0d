"""The log that a run keeps beside its checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

LOG = "train.log"


def keep_log(checkpoint: Any) -> None:
    """Write what is logged from here on into `train.log` beside the checkpoints too, for `data2vec report`.

    A resumed run appends; the next training of the same process, in a sweep, closes the file of the one before.

    Raises:
        OSError: the file is there and cannot be written, another user's above all.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
        root.removeHandler(handler)
        handler.close()
    if not checkpoint.no_save:
        handler = _open(Path(checkpoint.save_dir) / LOG)
        handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)s | %(name)s | %(message)s"))
        root.addHandler(handler)


def _open(path: Path) -> RunLog:
    try:
        return RunLog(path, encoding="utf-8")
    except OSError as error:
        raise type(error)(
            error.errno,
            f"the log of this run would be {str(path)!r}, in `checkpoint.save_dir`, which cannot be written "
            f"({error.strerror or error}): move the file away or free it, or choose another folder",
        ) from error


class RunLog(logging.FileHandler):
    """The log file of one run."""
