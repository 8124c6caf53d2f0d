"""Loader workers report a batch that they cannot pass on, and end when their run does.

torch passes batches through shared memory, in a thread of the worker: when the memory is full, the thread prints an
error and drops the batch, for which the run then waits forever. The workers of a killed run live on for seconds.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, List

from torch import Tensor
from torch.utils.data import get_worker_info

from ..files import shared_memory
from ..files.parent_process import end_with_parent


class SharedMemoryError(RuntimeError):
    """A loader worker cannot pass on its batch."""


class InWorkers:
    """A collater for loader workers: moves the batch of ``collate`` into shared memory here, where it can raise.

    Raises:
        SharedMemoryError: there is no room for the batch; the message states the room and the keys to change.
    """

    def __init__(self, collate: Callable[[List[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: List[Any]) -> Any:
        batch = self.collate(samples)
        if get_worker_info() is not None:
            end_with_parent()
            share(batch)
        return batch


def share(batch: Any) -> None:
    """Move a batch's tensors into shared memory, in place; raises SharedMemoryError if there is no room."""
    found = list(tensors(batch))
    try:
        for tensor in found:
            tensor.share_memory_()
    except (RuntimeError, OSError) as error:
        raise SharedMemoryError(_no_room(sum(each.numel() * each.element_size() for each in found))) from error


def tensors(batch: Any) -> Iterator[Tensor]:
    """Yield the non-empty tensors in nested dicts, lists and tuples."""
    if isinstance(batch, Tensor):
        if batch.numel():
            yield batch
    elif isinstance(batch, dict):
        for value in batch.values():
            yield from tensors(value)
    elif isinstance(batch, (list, tuple)):
        for value in batch:
            yield from tensors(value)


def _no_room(needed: int) -> str:
    there = shared_memory.room()
    found = f"{shared_memory.FOLDER} " + ("is not there" if there is None else f"has {there}")
    return (
        f"a loader worker has not enough shared memory for a batch of {needed / shared_memory.MIB:,.1f} MiB: {found}, "
        f"shared by all workers: {shared_memory.ENLARGE}, lower `dataset.num_workers` (0 needs none) or "
        "`dataset.max_tokens`"
    )
