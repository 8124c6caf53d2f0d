"""Memory of a training on a CPU: what an update frees is kept for the next one."""

from __future__ import annotations

import ctypes
import os

MMAP_MAX, TRIM_THRESHOLD = -4, -1
"""glibc's names for what :func:`keep_freed_memory` sets (`man mallopt`)."""
CHOSEN_BY_USERS = ("GLIBC_TUNABLES", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
"""Environment variables by which they set it themselves."""


def keep_freed_memory() -> bool:
    """Let glibc keep what this process frees; returns whether it does, since other C libraries have no such setting.

    By default glibc returns each tensor of more than 32 MiB to the system and asks for the same again a moment later,
    page by page, which takes a tenth of the time of a base model's update (`benchmarks/multi_update.py`).
    """
    if any(name in os.environ for name in CHOSEN_BY_USERS):
        return False
    setting = getattr(ctypes.CDLL(None), "mallopt", None)
    if setting is None:
        return False
    return all(setting(name, value) == 1 for name, value in ((MMAP_MAX, 0), (TRIM_THRESHOLD, -1)))
