"""Processes that decode: results in order, errors handed on, none left behind."""

import os
import signal
import time
from pathlib import Path
from typing import List

import pytest
import torch

from data2vec_plugin.decoding.greedy import GreedyCtcDecoder
from data2vec_plugin.decoding.processes import DecodingProcesses, ForkedWorkers


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; what nobody has asked after, in a container without an init, does not."""
    status = Path(f"/proc/{pid}/stat")
    try:
        return is_there(pid) and status.read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("count", [0, 2])
def test_each_gets_its_own(count: int) -> None:
    rows = [torch.eye(4)[[number % 4]] for number in range(9)]
    with DecodingProcesses(GreedyCtcDecoder(0), count) as processes:
        found = [processes.result(each) for each in [processes.submit(row) for row in rows]]
    assert [readings[0].tokens for readings in found] == [[number % 4] if number % 4 else [] for number in range(9)]


def test_work_is_done_elsewhere_and_nobody_is_left() -> None:
    with ForkedWorkers(lambda number: (number, os.getpid()), 2, "--processes") as workers:
        found = [workers.result(each) for each in [workers.submit(number) for number in range(8)]]
    assert [number for number, _ in found] == list(range(8))
    pids = {pid for _, pid in found}
    assert os.getpid() not in pids
    assert not any(is_there(pid) for pid in pids)


def fail(argument: int) -> None:
    raise ValueError(f"no {argument}")


def test_what_the_work_raises_is_raised_here() -> None:
    with ForkedWorkers(fail, 1, "--processes") as workers, pytest.raises(ValueError, match="no 3"):
        workers.result(workers.submit(3))


def test_a_killed_process_is_told() -> None:
    def die(argument: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with ForkedWorkers(die, 1, "--processes") as workers, pytest.raises(RuntimeError, match=r"killed.*`--processes`"):
        workers.result(workers.submit(3))


def test_fewer_than_none_is_refused() -> None:
    with pytest.raises(ValueError, match="`--decoding-processes` is -1; expected 0"):
        DecodingProcesses(GreedyCtcDecoder(0), -1)


def start_and_wait(told: int) -> None:
    """A parent whose two processes are busy; it tells their ids, and never returns."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell has ignored in what it runs behind
    try:
        workers = ForkedWorkers(time.sleep, 2, "--processes")
        waiting = [workers.submit(1000) for _ in range(5)]
        os.write(told, " ".join(map(str, workers._pids)).encode())
        with workers:
            workers.result(waiting[0])
    finally:
        os._exit(1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes run")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_they_end_with_whoever_started_them(ending: signal.Signals) -> None:
    hearing, telling = os.pipe()
    parent = os.fork()
    if parent == 0:
        start_and_wait(telling)
    pids: List[int] = [int(word) for word in os.read(hearing, 100).split()]
    os.close(hearing)
    os.close(telling)
    assert len(pids) == 2
    os.kill(parent, ending)
    os.waitpid(parent, 0)
    deadline = time.monotonic() + 60
    while any(map(is_alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, pids))
