"""A file that one of several processes cannot use ends all of them, before the update that it was read for."""

from __future__ import annotations

import functools
from typing import Any, List, Optional, Tuple

from fairseq.distributed import utils as distributed_utils

from ...data.bad_files import BadFileError
from ...data.resumable import ResumableIterator
from .task import WatchedTask

LONGEST = 10_000
"""Characters of a message that are passed on, of at most 4 bytes each; it names up to twenty files."""


class SharedFileError(ValueError):
    """One process met a bad file too many, and all know it; ``in_update`` if for an update, which is not made."""

    def __init__(self, message: str, in_update: bool) -> None:
        super().__init__(message)
        self.in_update = in_update


def end_together(trainer: Any) -> None:
    """Wrap fairseq's ``Trainer``: its processes learn of each other's bad files as they add up their logs.

    A process that raised alone would leave the others waiting for its gradients, to be killed with what they know.
    Instead it goes on with batches that hold nothing up to where all meet, after the backward pass and before the step.
    """
    _listen(trainer, "get_train_iterator")
    _listen(trainer, "get_valid_iterator")
    stock = trainer._aggregate_logging_outputs

    @functools.wraps(stock)
    def aggregate(self: Any, logs: Any, *stats: Any, ignore: bool = False) -> Tuple[Any, List[Any]]:
        if not _stops_together(self):
            return stock(self, logs, *stats, ignore=ignore)  # type: ignore[no-any-return]
        met: Optional[BadFileError] = getattr(self, "_met", None)
        logs, (*sums, stopping) = stock(self, logs, *stats, int(met is not None), ignore=ignore)
        if stopping:
            in_update = self.model.training  # which is what train_step and valid_step begin with
            raise SharedFileError(_all_messages(self, met), in_update) from met
        return logs, sums

    trainer._aggregate_logging_outputs = aggregate


def _stops_together(trainer: Any) -> bool:
    """Whether several processes train a task of ours, and add up their logs at each update; under BMUF they do not."""
    several = trainer.data_parallel_world_size > 1 and not trainer.cfg.optimization.use_bmuf
    return several and isinstance(trainer.task, WatchedTask)


def _listen(trainer: Any, method: str) -> None:
    """Let a bad file be noted, not raised, by the iterators of several processes that ``method`` makes."""
    stock = getattr(trainer, method)

    @functools.wraps(stock)
    def get_iterator(self: Any, *args: Any, **kwargs: Any) -> Any:
        iterator = stock(self, *args, **kwargs)
        if isinstance(iterator, ResumableIterator) and _stops_together(self):
            iterator.met = functools.partial(setattr, self, "_met")
        return iterator

    setattr(trainer, method, get_iterator)


def _all_messages(trainer: Any, met: Optional[BadFileError]) -> str:
    """What each process that met a bad file says of it, the same on all."""
    said = distributed_utils.all_gather_list(
        None if met is None else met.own_words()[:LONGEST], trainer.data_parallel_process_group, max_size=5 * LONGEST
    )
    return "; ".join(f"process {rank + 1} of {len(said)}: {text}" for rank, text in enumerate(said) if text is not None)
