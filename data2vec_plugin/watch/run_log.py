"""The log that a run keeps beside its checkpoints."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

LOG = "train.log"


def keep_log(checkpoint: Any) -> None:
    """Write what is logged from here on into `train.log` beside the checkpoints too, for `data2vec report`.

    A resumed run appends; the next training of the same process, in a sweep, closes the file of the one before.
    """
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, RunLog)]:
        root.removeHandler(handler)
        handler.close()
    if not checkpoint.no_save:
        handler = RunLog(Path(checkpoint.save_dir) / LOG, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s | %(levelname)s | %(name)s | %(message)s"))
        root.addHandler(handler)


class RunLog(logging.FileHandler):
    """The log file of one run."""
