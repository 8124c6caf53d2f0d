"""Work that one of several processes does for all."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import Iterator

import torch

LONGEST = timedelta(days=2)
"""Encoding a large corpus takes hours; training's own process group times out after ten to thirty minutes."""


@contextmanager
def first_process_first() -> Iterator[None]:
    """Context in which rank 0 runs before the others, which then find its results on the disk.

    The others also continue if rank 0 fails, and raise the same error instead of waiting; they fail as soon as it dies,
    since the connection ends.
    """
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    if not together:
        yield
        return
    # a separate group, since the default one has training's timeout
    group = torch.distributed.new_group(backend="gloo", timeout=LONGEST)
    first = torch.distributed.get_rank() == 0
    try:
        if not first:
            torch.distributed.barrier(group)
        try:
            yield
        finally:
            if first:
                torch.distributed.barrier(group)
    finally:
        torch.distributed.destroy_process_group(group)
