"""fairseq fills its buffer in a daemon thread, which Python ends with the process, whatever it is doing just then.

Within torch that is an abort, `terminate called without an active exception`, after all has been trained and saved: the
run's exit code says that it failed. A run that stops within an epoch, with no workers to load for it, is prone to it.
"""

import atexit
import functools
import queue
import threading
import time
from types import ModuleType
from typing import Any, Iterable, Iterator
from weakref import WeakSet

from data2vec_compat.registry import patch

PATIENCE = 10.0
"""Seconds that the process waits for a batch that is being loaded."""

_ending = threading.Event()
_consumers: "WeakSet[Any]" = WeakSet()


@patch(
    "loader thread",
    "fairseq.data.iterators",
    why="a run that stops within an epoch may abort when its process ends: the thread that loads is ended within torch",
)
def mend(module: ModuleType) -> bool:
    """Lets the thread finish its batch, and load no other, before the process ends."""
    consumer = module.BackgroundConsumer
    stock = consumer.run

    @functools.wraps(stock)
    def run(self: Any) -> None:
        _consumers.add(self)
        self._source = _until_the_end(self._source)
        stock(self)

    consumer.run = run
    atexit.register(end)
    return True


def _until_the_end(source: Iterable[Any]) -> Iterator[Any]:
    for item in source:
        yield item
        if _ending.is_set():
            return


def end() -> None:
    """Stops all loading threads and waits for them."""
    _ending.set()
    latest = time.monotonic() + PATIENCE
    for consumer in list(_consumers):
        while consumer.is_alive() and time.monotonic() < latest:
            try:
                consumer._queue.get_nowait()  # it may wait for room
            except queue.Empty:
                consumer.join(0.02)
