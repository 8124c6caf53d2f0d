"""How much shared memory there is, through which loader workers pass their batches."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple, Optional

FOLDER = "/dev/shm"
MIB = 2.0**20
ENLARGE = "increase it (Docker: `--shm-size=8g`)"


class Room(NamedTuple):
    """Bytes of the file system that backs shared memory."""

    free: int
    total: int

    def __str__(self) -> str:
        return f"{self.free / MIB:,.1f} of {self.total / MIB:,.1f} MiB free"


def room() -> Optional[Room]:
    """Return the free and total bytes of :data:`FOLDER`; None on a system without it."""
    if not os.path.isdir(FOLDER):
        return None
    usage = shutil.disk_usage(FOLDER)
    return Room(usage.free, usage.total)
