"""Batches up to a file that ends the run, for processes that have to end together."""

from __future__ import annotations

from typing import Any, Callable, Iterator

from fairseq.data.iterators import CountingIterator

from .bad_files import BadFileError

Met = Callable[[BadFileError], None]


class UntilBadFile(CountingIterator):  # type: ignore[misc]
    """fairseq's batches; a bad file too many is told to ``met``, not raised, and empty batches follow it.

    It counts these, too: ``n`` is the same in all processes.
    """

    def __init__(self, batches: CountingIterator, met: Met) -> None:
        super().__init__(_then_nothing(batches, met), start=batches.n, total=len(batches))
        self.batches = batches

    def take(self, n: int) -> UntilBadFile:
        """End at batch ``n``, for `skip_remainder_batch`; fairseq asks its own batches whether the epoch has ended."""
        self.batches.take(n)
        super().take(n)
        return self


def _then_nothing(batches: CountingIterator, met: Met) -> Iterator[Any]:
    try:
        yield from batches
    except BadFileError as error:
        met(error)
        while True:
            yield {}
