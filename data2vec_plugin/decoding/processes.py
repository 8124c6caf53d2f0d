"""Decoding in several processes: flashlight holds Python's lock (GIL) while it searches, so threads would not help."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from types import TracebackType
from typing import Any, Callable, List, Optional, Type, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..files.parent_process import end_with_parent
from .decoded import Decoded, Decoder

Self = TypeVar("Self", bound="ForkedWorkers")

MOST = 16
"""Most processes that are started by default."""

_work: Optional[Callable[[Any], Any]] = None
"""In a forked process, the function that it applies to each argument."""


def usable_cpus() -> int:
    """Number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ForkedWorkers:
    """Worker processes that run in the background.

    They are forked from this process, so that what the work needs, such as a lexicon and a language model, is read once
    and is in memory once. They end with :meth:`close`, or with this process, however that ends. Only this process
    handles Ctrl-C.

    Args:
        work: a function of one argument; argument and result are sent between processes.
        processes: how many; None: one per processor, at most 16. 0: work in this process, at once, which is also what
            happens on systems without fork.
        option: the command-line option to name if memory runs out.

    Raises:
        ValueError: a negative number of processes.
    """

    def __init__(self, work: Callable[[Any], Any], processes: Optional[int], option: str) -> None:
        if processes is not None and processes < 0:
            raise ValueError(f"`{option}` is {processes}; expected 0 (no additional process) or more")
        self.work, self.option = work, option
        self.count = min(MOST, usable_cpus()) if processes is None else processes
        if "fork" not in multiprocessing.get_all_start_methods():
            self.count = 0
        self._pids: List[int] = []
        self._executor: Optional[ProcessPoolExecutor] = None
        if self.count:
            self._executor = self._started()

    def _started(self) -> ProcessPoolExecutor:
        """Fork all processes now: later there are more threads, which a fork would interrupt in the middle of work."""
        context = multiprocessing.get_context("fork")
        executor = ProcessPoolExecutor(self.count, context, _begin, (self.work, context.Barrier(self.count)))
        self._pids = [each.result() for each in [executor.submit(_arrived) for _ in range(self.count)]]
        return executor

    def submit(self, argument: Any) -> Future[Any]:
        """Send an argument to a worker; :meth:`result` returns its result."""
        if self._executor is None:
            done: Future[Any] = Future()
            done.set_result(self.work(argument))
            return done
        return self._executor.submit(_do, argument)

    def result(self, future: Future[Any]) -> Any:
        """Wait for a result; raises RuntimeError if a process was killed, and any error of the work itself."""
        try:
            return future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                f"one of the {self.count} decoding processes was killed, perhaps because memory ran out: use fewer "
                f"with `{self.option}` (0: no additional process), or a smaller `--beam`"
            ) from error

    def close(self) -> None:
        """End the processes, even while they work, and wait until they are gone."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        executor.shutdown(wait=True, cancel_futures=True)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], where: Optional[TracebackType]
    ) -> None:
        self.close()


class DecodingProcesses(ForkedWorkers):
    """Copies of a decoder that decode submitted emissions: (T, V) -> list of :class:`.decoded.Decoded`, best first."""

    def __init__(self, decoder: Decoder, processes: Optional[int] = None) -> None:
        def decode(emissions: NDArray[Any]) -> List[Decoded]:
            return decoder.decode(torch.from_numpy(emissions))

        super().__init__(decode, processes, "--decoding-processes")

    def submit(self, argument: Tensor) -> Future[Any]:
        """Submit emissions for decoding."""
        return super().submit(argument.numpy())


_everybody: Any = None
"""In a forked process, the barrier at which it waits for the others to start."""


def _begin(work: Callable[[Any], Any], everybody: Any) -> None:
    global _work, _everybody
    _work, _everybody = work, everybody
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent()


def _arrived() -> int:
    _everybody.wait()
    return os.getpid()


def _do(argument: Any) -> Any:
    if _work is None:
        raise RuntimeError("this process was not started as a worker")
    return _work(argument)
