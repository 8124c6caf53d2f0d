"""Worker processes that end with the process that started them, however that ends (loading, decoding)."""

from __future__ import annotations

import os
import threading
import time
from multiprocessing import parent_process
from multiprocessing.connection import wait
from typing import Any, Set

POLL_SECONDS = 0.2

_watching: Set[int] = set()
"""Ids of processes that watch their parent; of a copy made by a fork, only the new id counts."""


def end_with_parent() -> None:
    """End this process as soon as the process that started it is gone; does nothing if called again."""
    if parent_process() is not None and os.getpid() not in _watching:
        _watching.add(os.getpid())
        threading.Thread(target=_end_without_parent, daemon=True).start()


def _end_without_parent() -> None:
    parent: Any = parent_process()
    while os.getppid() == parent.pid:  # its sentinel may be inherited by other processes, and stay open
        time.sleep(POLL_SECONDS)
    wait([parent.sentinel])  # it is gone, or a fork server started this process for it
    os._exit(1)
