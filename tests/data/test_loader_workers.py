"""Loader workers that cannot hand a batch over say so, and end with their run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, List, Optional

import pytest
import torch
from torch.utils.data import DataLoader

from data2vec_plugin.data import loader_workers
from data2vec_plugin.data.loader_workers import InWorkers, SharedMemoryError, share, tensors

RUN = """
import sys, time, torch
from torch.utils.data import DataLoader
from data2vec_plugin.data.loader_workers import InWorkers

def collate(samples):
    return {"source": torch.zeros(int(sys.argv[1])), "name": "a"}

for batch in DataLoader(range(64), 2, num_workers=2, collate_fn=InWorkers(collate)):
    assert batch["source"].is_shared()
    print("batch", flush=True)
    time.sleep(float(sys.argv[2]))
"""


LATE = """
import os, time
forks = []
os.register_at_fork(before=lambda: forks.append(1), after_in_child=lambda: time.sleep(len(forks) - 1))
"""
"""Makes the second worker begin a second after it was forked: by then the run has been killed."""


def collate(samples: List[Any]) -> Any:
    return {"id": torch.tensor(samples), "net_input": [torch.ones(3), torch.zeros(0)], "name": "a"}


@pytest.mark.parametrize("context", [None, "fork", "forkserver"])
def test_a_batch_is_what_the_collater_made(context: Optional[str]) -> None:
    workers = int(context is not None)
    (batch,) = DataLoader(
        range(3), 3, num_workers=workers, collate_fn=InWorkers(collate), multiprocessing_context=context
    )
    assert batch["id"].tolist() == [0, 1, 2]
    assert batch["net_input"][1].numel() == 0
    assert [each.tolist() for each in tensors(batch)] == [[0, 1, 2], [1, 1, 1]]


def test_a_worker_shares_its_batch_before_it_is_handed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later a thread of torch's would, and drop what does not fit."""
    monkeypatch.setattr(loader_workers, "get_worker_info", lambda: "a worker")
    monkeypatch.setattr(loader_workers, "end_with_parent", lambda: None)
    batch = InWorkers(collate)([0, 1])
    assert [each.is_shared() for each in tensors(batch)] == [True, True]


def test_no_room_names_memory_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(tensor: torch.Tensor) -> None:
        raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)")

    monkeypatch.setattr(torch.Tensor, "share_memory_", refuse)
    with pytest.raises(SharedMemoryError, match=r"batch of 4\.0 MiB: /dev/shm .*`dataset\.num_workers`"):
        share({"source": torch.zeros(2**20)})


@pytest.mark.skipif(torch.__version__.startswith("2.1."), reason="torch 2.1 dies of a bus error, and says why itself")
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounts a small /dev/shm")
def test_a_run_in_a_small_container_ends_instead_of_waiting(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("may not mount here")
    mounted = 'mount -t tmpfs -o size=256k tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "-m", "bash", "-c", mounted, "-", sys.executable, "-c", RUN, str(2**20), "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "a loader worker has not enough shared memory for a batch of 4.0 MiB: /dev/shm has 0." in done.stderr


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes there are")
def test_workers_of_a_killed_run_end_within_a_second() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LATE + RUN, "8", "30"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "batch\n"
    process.kill()
    process.wait()
    killed = time.monotonic()
    left = alive(process.pid)
    while left and time.monotonic() < killed + 10:
        time.sleep(0.05)
        left = alive(process.pid)
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert time.monotonic() < killed + 3  # torch's own look for their parent every five seconds


def alive(group: int) -> List[int]:
    """The processes of a group that are left, but for those that nobody has asked how they ended."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, of_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(of_group) == group and state != "Z":
            found.append(int(folder.name))
    return found
