"""Work that one of several processes does for all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import torch


@contextmanager
def first_process_first() -> Iterator[None]:
    """Lets rank 0 through before the others, which then find what it has left on the disk.

    The others go on also if rank 0 fails, and meet the same error rather than wait for ever.
    """
    together = torch.distributed.is_available() and torch.distributed.is_initialized()
    first = not together or torch.distributed.get_rank() == 0
    if not first:
        torch.distributed.barrier()
    try:
        yield
    finally:
        if together and first:
            torch.distributed.barrier()
