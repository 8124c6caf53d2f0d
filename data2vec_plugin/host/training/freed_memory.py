"""Memory of a training on a CPU: what an update frees is kept for the next one."""

from __future__ import annotations

import ctypes
import os
import sys

MMAP_MAX, TRIM_THRESHOLD = -4, -1
"""Numbers of glibc's settings (`man mallopt`): how many blocks lie outside the heap, and when its end is returned."""
OF_USERS = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
"""Environment variables by which users set the same."""


def keep_freed_memory() -> bool:
    """Let glibc keep what this process frees, until it ends; returns whether glibc took the settings.

    By default it returns each tensor of more than 32 MiB to the system and asks for the same again a moment later,
    page by page, which takes a tenth of the time of a base model's update (`benchmarks/multi_update.py`). The price is
    a peak about a tenth higher. Nothing is set where users have set it (`MALLOC_TRIM_THRESHOLD_=131072` is the
    default), and for other C libraries.
    """
    if set_by_users() or not sys.platform.startswith("linux"):
        return False
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is None:
        return False
    return all(setting(name, value) == 1 for name, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1)))


def set_by_users() -> bool:
    """Whether an environment variable has settings of glibc's allocator."""
    return any(name in os.environ for name in OF_USERS) or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", "")
