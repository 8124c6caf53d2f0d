"""Decoding in several processes: flashlight holds Python's lock while it searches, so that threads would take turns."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import wait
from types import TracebackType
from typing import Any, List, Optional, Type

import torch
from numpy.typing import NDArray
from torch import Tensor

from .decoded import Decoded, Decoder

MOST = 16
"""Processes that are started unless more are asked for."""

_decoder: Optional[Decoder] = None
"""In a decoding process, what it decodes with."""


def usable_cpus() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class DecodingProcesses:
    """A decoder's copies, each in a process of its own, which work while the caller goes on.

    They are forked from here, so that a lexicon and a language model are read once and lie in memory once. They end
    with :meth:`close`, or with this process, however that ends. Ctrl-C is for this process alone.

    Args:
        decoder: what decodes.
        processes: how many; None: as many as there are processors, at most 16. 0: decode here, at once; so it is, too,
            where there is no fork.

    Raises:
        ValueError: a negative number of processes.
    """

    def __init__(self, decoder: Decoder, processes: Optional[int] = None) -> None:
        if processes is not None and processes < 0:
            raise ValueError(f"`--decoding-processes` is {processes}; expected 0 (decode in this process) or more")
        self.decoder = decoder
        self.count = min(MOST, usable_cpus()) if processes is None else processes
        if "fork" not in multiprocessing.get_all_start_methods():
            self.count = 0
        self._pids: List[int] = []
        self._executor: Optional[ProcessPoolExecutor] = None
        if self.count:
            self._executor = self._started()

    def _started(self) -> ProcessPoolExecutor:
        """All processes, forked by now: later there are more threads, which a fork would cut off amid what they do."""
        context = multiprocessing.get_context("fork")
        executor = ProcessPoolExecutor(self.count, context, _begin, (self.decoder, context.Barrier(self.count)))
        self._pids = [each.result() for each in [executor.submit(_arrived) for _ in range(self.count)]]
        return executor

    def submit(self, emissions: Tensor) -> Future[List[Decoded]]:
        """Have (T, V) emissions decoded; :meth:`result` gives what comes of it."""
        if self._executor is None:
            done: Future[List[Decoded]] = Future()
            done.set_result(self.decoder.decode(emissions))
            return done
        return self._executor.submit(_decode, emissions.numpy())

    def result(self, future: Future[List[Decoded]]) -> List[Decoded]:
        """Wait for readings; raises RuntimeError if a process was killed, and what decoding raised."""
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"one of the {self.count} decoding processes was killed, perhaps for memory: give fewer with "
                f"`--decoding-processes` (0: decode in this process), or a smaller `--beam`"
            ) from error

    def close(self) -> None:
        """End the processes, whatever they are at, and wait until they are gone."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        executor.shutdown(wait=False, cancel_futures=True)
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        executor.shutdown(wait=True)

    def __enter__(self) -> DecodingProcesses:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self.close()


_everybody: Any = None
"""In a decoding process, where it waits for the others to be there."""


def _begin(decoder: Decoder, everybody: Any) -> None:
    global _decoder, _everybody
    _decoder, _everybody = decoder, everybody
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _arrived() -> int:
    _everybody.wait()
    return os.getpid()


def _decode(emissions: NDArray[Any]) -> List[Decoded]:
    if _decoder is None:
        raise RuntimeError("this process was not started to decode")
    return _decoder.decode(torch.from_numpy(emissions))
