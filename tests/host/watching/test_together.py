"""What processes tell each other of files that they cannot use, on a trainer cut down to what is asked of it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import pytest
import torch
from fairseq.data.iterators import EpochBatchIterator
from fairseq.trainer import Trainer
from torch.utils.data import TensorDataset

from data2vec_plugin.data.bad_files import BadFileError
from data2vec_plugin.data.resumable import ResumableIterator
from data2vec_plugin.host.training.trainer import Data2VecTrainer
from data2vec_plugin.host.watching import together
from data2vec_plugin.host.watching.task import WatchedTask
from data2vec_plugin.host.watching.together import SharedFileError


def iterator() -> ResumableIterator:
    data = TensorDataset(torch.zeros(1))
    return ResumableIterator(EpochBatchIterator(data, list, [[0]]), Path("train.tsv"), "digest")


class Cut(Data2VecTrainer):
    """One of three processes, of which the others have met so many files."""

    data_parallel_process_group = None
    data_parallel_world_size = 3
    model = torch.nn.Linear(1, 1)
    announced = True

    def __init__(self, task: Any) -> None:
        self.task = task
        self.cfg = SimpleNamespace(optimization=SimpleNamespace(use_bmuf=False))
        self.elsewhere = 0


@pytest.fixture(autouse=True)
def stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """fairseq's own methods."""

    def aggregate(self: Any, logs: Any, *stats: int, ignore: bool = False) -> Tuple[Any, List[int]]:
        assert ignore
        *own, last = stats
        return logs, [*own, last + self.elsewhere]

    monkeypatch.setattr(Trainer, "get_train_iterator", lambda self: iterator())
    monkeypatch.setattr(Trainer, "get_valid_iterator", lambda self: iterator())
    monkeypatch.setattr(Trainer, "_aggregate_logging_outputs", aggregate)


LOGS: List[Dict[str, int]] = [{"loss": 1}]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """What the processes before this one say."""
    before: List[Any] = [None, "b.wav is empty"]

    def gather(own: Any, group: Any, max_size: int) -> List[Any]:
        assert own is None or len(own.encode()) < 4 * together.LONGEST < max_size
        return [*before, own]

    monkeypatch.setattr(together.distributed_utils, "all_gather_list", gather)
    return before


def test_sums_are_as_they_were_while_nobody_stops() -> None:
    assert Cut(WatchedTask())._aggregate_logging_outputs(LOGS, 7, 8, ignore=True) == (LOGS, [7, 8])


@pytest.mark.parametrize(("task", "bmuf"), [(object(), False), (WatchedTask(), True)])
def test_stock_tasks_and_processes_that_seldom_meet_are_as_they_were(task: Any, bmuf: bool) -> None:
    trainer = Cut(task)
    trainer.elsewhere = 1
    trainer.cfg.optimization.use_bmuf = bmuf
    assert trainer._aggregate_logging_outputs(LOGS, 7, 8, ignore=True) == (LOGS, [7, 9])
    assert trainer.get_train_iterator().report is None


@pytest.mark.parametrize("training", [True, False])
def test_one_that_met_nothing_stops_with_the_others(said: List[Any], training: bool) -> None:
    trainer = Cut(WatchedTask())
    trainer.elsewhere = 1
    trainer.model.train(training)
    with pytest.raises(SharedFileError, match=r"^process 2 of 3: b\.wav is empty$") as raised:
        trainer._aggregate_logging_outputs(LOGS, 7, ignore=True)
    assert raised.value.in_update == training


@pytest.mark.parametrize("method", ["get_train_iterator", "get_valid_iterator"])
def test_one_that_met_a_file_says_so_to_all(said: List[Any], method: str) -> None:
    trainer, error = Cut(WatchedTask()), BadFileError("c.wav " + "é" * 50_000)
    report = getattr(trainer, method)().report
    assert report is not None
    report(error)
    with pytest.raises(SharedFileError, match=r"^process 2 of 3: b\.wav is empty; process 3 of 3: c\.wav éé") as raised:
        trainer._aggregate_logging_outputs(LOGS, 7, ignore=True)
    assert raised.value.__cause__ is error


def test_a_single_process_raises_where_it_reads() -> None:
    trainer = Cut(WatchedTask())
    trainer.data_parallel_world_size = 1
    assert trainer.get_train_iterator().report is None
