"""Ends all processes if one of them cannot use a file, before the update that the file was read for.

If only one process raised, the others would wait for its gradients until they are killed, and lose their state. Instead
it continues with empty batches until all add up their logs, after the backward pass and before the step: there its
trainer adds whether it has encountered a bad file, so that all processes know.
"""

from __future__ import annotations

import functools
from typing import Any, List, NoReturn, Optional

from fairseq.distributed import utils as distributed_utils

from ...data.bad_files import BadFileError
from ...data.resumable import ResumableIterator
from .task import WatchedTask

LONGEST = 10_000
"""Characters of a message that are passed on, of at most 4 bytes each; it names up to twenty files."""


class SharedFileError(ValueError):
    """One process found too many bad files, and all know it; ``in_update`` if in an update, which is then dropped."""

    def __init__(self, message: str, in_update: bool) -> None:
        super().__init__(message)
        self.in_update = in_update


def stops_together(trainer: Any) -> bool:
    """Whether several processes train a task of this plugin, and add up their logs at each update; under BMUF they do
    not."""
    several = trainer.data_parallel_world_size > 1 and not trainer.cfg.optimization.use_bmuf
    return several and isinstance(trainer.task, WatchedTask)


def listen(trainer: Any, iterator: Any) -> Any:
    """Return a trainer's iterator; one of several processes sets ``trainer.bad_file`` instead of raising."""
    if isinstance(iterator, ResumableIterator) and stops_together(trainer):
        iterator.report = functools.partial(setattr, trainer, "bad_file")
    return iterator


def stop_together(trainer: Any) -> NoReturn:
    """Raise SharedFileError with the bad files of all processes; each of them must call this."""
    in_update = trainer.model.training  # which is what train_step and valid_step begin with
    raise SharedFileError(_all_messages(trainer, trainer.bad_file), in_update) from trainer.bad_file


def _all_messages(trainer: Any, error: Optional[BadFileError]) -> str:
    """Join the messages of all processes that found a bad file; the result is the same on each."""
    said = gathered("" if error is None else error.own_words(), trainer.data_parallel_process_group)
    return "; ".join(f"process {rank + 1} of {len(said)}: {text}" for rank, text in enumerate(said) if text)


def gathered(message: str, group: Any) -> List[str]:
    """Return the messages of all processes of a group, in their order, each at most :data:`LONGEST` long."""
    said: List[str] = distributed_utils.all_gather_list(message[:LONGEST], group, max_size=5 * LONGEST)
    return said
