"""Of several processes the first goes first, and the others are let go also if it fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, List

import forks
import pytest
import torch

from data2vec_plugin.data.first_process import first_process_first

WORKS_LONG = """
import sys, time, torch
from datetime import timedelta
from pathlib import Path
from data2vec_plugin.data.first_process import first_process_first

rank, folder, fails = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] == ["dies"]
store = torch.distributed.FileStore(str(folder / "store"), 2)
torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=3))
with first_process_first():
    if rank == 0:
        time.sleep(4)
        if fails:
            import os
            os._exit(3)
        (folder / "made").write_text("whole")
    print((folder / "made").read_text())
"""


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> List[str]:
    made: List[str] = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "new_group", lambda **options: made.append("group"))
    monkeypatch.setattr(torch.distributed, "barrier", lambda group: made.append("barrier"))
    monkeypatch.setattr(torch.distributed, "destroy_process_group", lambda group: made.append("end"))
    return made


@pytest.mark.parametrize(("rank", "expected"), [(0, ["work", "barrier"]), (1, ["barrier", "work"])])
def test_others_wait_for_the_first(
    rank: int, expected: List[str], steps: List[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    with first_process_first():
        steps.append("work")
    assert steps == ["group", *expected, "end"]


def test_they_are_let_go_if_it_fails(steps: List[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 0)
    with pytest.raises(ValueError, match="no"), first_process_first():
        raise ValueError("no")
    assert steps == ["group", "barrier", "end"]


def test_one_process_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.distributed, "barrier", lambda: pytest.fail("waited"))
    with first_process_first():
        pass


def two_processes(folder: Path, *words: str) -> List[Any]:
    def run(rank: int) -> Any:
        done = forks.python(["-c", WORKS_LONG, str(rank), str(folder), *words], imported="torch", timeout=90)
        return done.stdout.strip(), done.returncode

    with ThreadPoolExecutor() as at_once:
        return list(at_once.map(run, range(2)))


def test_the_first_may_work_longer_than_processes_wait_for_each_other(tmp_path: Path) -> None:
    assert two_processes(tmp_path) == [("whole", 0), ("whole", 0)]


def test_the_others_end_with_a_first_that_dies(tmp_path: Path) -> None:
    (_, first), (said, other) = two_processes(tmp_path, "dies")
    assert first == 3
    assert other not in (0, 3)
    assert said == ""
