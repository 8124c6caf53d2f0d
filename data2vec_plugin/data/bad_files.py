"""Files that cannot be used: left out, counted and named, up to a limit."""

from __future__ import annotations

import logging
from multiprocessing.util import Finalize
from typing import Callable, List, Optional

import torch

logger = logging.getLogger(__name__)

SHOWN = 20
"""How many names a report gives; all of them have been logged when they were found."""


class BadFileError(ValueError):
    """More files cannot be used than may be skipped."""

    def own_words(self) -> str:
        """Return the message without the traceback that a loader worker puts before it."""
        return str(self).rpartition(f"{type(self).__name__}: ")[2].strip()


class BadFiles:
    """The samples of a data set that have turned out to be unusable, shared by all loader workers.

    ``where(index)`` names a sample. Up to ``limit`` distinct files, the value of the task's ``key``, are skipped; the
    next one raises ``error``. A file counts once, however often it is read.
    """

    def __init__(self, size: int, limit: int, where: Callable[[int], str], error: type[BadFileError], key: str) -> None:
        self.limit = limit
        self.key = key
        self.where = where
        self.error = error
        # loader workers are forked, and live on from epoch to epoch: only shared memory is common to them
        self._known = torch.zeros(size, dtype=torch.bool).share_memory_()

    def leave_out(self, index: int, reason: str, cause: Optional[Exception] = None) -> None:
        """Record and log an unusable sample; beyond the ``limit``, raise ``error`` from ``cause`` with a summary."""
        known_before = bool(self._known[index])
        self._known[index] = True
        message = f"{self.where(index)}: {reason}"
        if len(self.indices) > self.limit:
            raise self.error(message + self._over_limit()) from cause
        if not known_before:
            logger.warning(f"skipped, {len(self.indices)} of at most {self.limit}: {message}")

    def _over_limit(self) -> str:
        if self.limit == 0:
            return f" (set `+task.{self.key}=N` to let training skip up to N files; it is 0)"
        allowed = f"`task.{self.key}` = {self.limit} (`+task.{self.key}=…` changes it)"
        return f"; this exceeds {allowed}. {self.summary()}"

    @property
    def indices(self) -> List[int]:
        """The unusable samples found so far."""
        # a copy, since nonzero() counts before it collects, and another worker may write in between
        found: List[int] = self._known.clone().nonzero().squeeze(1).tolist()
        return found

    def summary(self) -> str:
        """Return the number and the first names of the skipped files."""
        names = [self.where(index) for index in self.indices]
        more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return f"skipped so far: {len(names)} of {len(self._known)} files: {', '.join(names[:SHOWN])}{more}"

    def report_at_exit(self) -> None:
        """Log the summary when this process ends, if a file was skipped; also in a spawned process.

        Processes that this one forks, such as loader workers, log nothing. In a sweep, all jobs' names are logged then.
        """
        Finalize(None, self._report, exitpriority=0)

    def _report(self) -> None:
        if self.indices:
            logger.warning(self.summary())
