"""Where a stopped run goes on, and when nothing may be saved, on fairseq's own iterator."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.data.iterators import EpochBatchIterator, GroupedIterator
from torch.utils.data import Dataset

from data2vec_plugin.data.audio.clips import AudioFileError
from data2vec_plugin.data.resumable import ResumableIterator
from data2vec_plugin.host.watching.stop import train_epoch
from data2vec_plugin.host.watching.task import WatchedTask
from data2vec_plugin.host.watching.together import SharedFileError


@pytest.fixture(autouse=True)
def saving(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of this file's keeps what fairseq would save."""
    monkeypatch.setattr(checkpoint_utils, "save_checkpoint", lambda cfg, trainer, *where: trainer.save(*where))


class Clips(Dataset):  # type: ignore[type-arg]
    """Numbers from 0; a bad one raises."""

    def __init__(self, bad: int) -> None:
        self.bad = bad

    def __getitem__(self, index: int) -> int:
        if index == self.bad:
            raise AudioFileError(f"clip {index} cannot be read")
        return index


def iterator(bad: int = -1) -> Any:
    return EpochBatchIterator(Clips(bad), list, [[number] for number in range(8)], disable_shuffling=True)


class GivenUp(List[Any]):
    """Updates up to the one in which a file was met."""

    def __init__(self, met: List[Exception]) -> None:
        super().__init__([["of the run before"]])
        self.met = met

    def append(self, update: Any) -> None:
        if self.met:
            raise SharedFileError(str(self.met[0]), in_update=True)
        super().append(update)


class Run:
    """An epoch of fairseq's, cut down to its loop; holds what was trained on and what was saved."""

    def __init__(self, folder: Path, processes: int = 1, max_update: int = 0, **checkpoint: Any) -> None:
        settings = {"save_dir": str(folder), "no_save": False, "no_last_checkpoints": False, **checkpoint}
        self.cfg = SimpleNamespace(
            optimization=SimpleNamespace(update_freq=[3], max_update=max_update), checkpoint=SimpleNamespace(**settings)
        )
        self.trainer = SimpleNamespace(
            checkpoint_suffix="",
            data_parallel_world_size=processes,
            get_num_updates=lambda: len(self.updates),
            save=self.save,
            task=WatchedTask(),
            get_model=lambda: torch.nn.Linear(1, 1),
        )
        self.updates: List[Any] = []
        self.saved: List[Any] = []

    def epoch(self, cfg: Any, trainer: Any, task: Any, epoch_itr: Any) -> Any:
        for samples in GroupedIterator(epoch_itr.next_epoch_itr(shuffle=False), cfg.optimization.update_freq[0]):
            self.updates.append([number for batch in samples for number in batch])
        return [0.5], False

    def save(self, epoch_itr: Any, val_loss: Any) -> None:
        self.saved.append(epoch_itr.state_dict())

    def train(self, epoch_itr: Any) -> Any:
        return train_epoch(self.epoch, self.cfg, self.trainer, None, epoch_itr)


def test_what_was_read_for_an_update_that_never_was_is_read_again(tmp_path: Path) -> None:
    run, last = Run(tmp_path), tmp_path / "checkpoint_last.pt"
    with pytest.raises(AudioFileError, match=rf"^clip 5 cannot be read.*All 1 updates are in {last}, from which"):
        run.train(iterator(bad=5))
    assert [state["iterations_in_epoch"] for state in run.saved] == [3]
    mended = iterator()
    mended.load_state_dict(run.saved[0])
    run.train(mended)
    assert run.updates == [[0, 1, 2], [3, 4, 5], [6, 7]]


def test_a_resumed_epoch_counts_from_where_it_went_on(tmp_path: Path) -> None:
    run, resumed = Run(tmp_path), iterator(bad=6)
    resumed.load_state_dict({"epoch": 1, "iterations_in_epoch": 2, "shuffle": False})
    with pytest.raises(AudioFileError):
        run.train(resumed)
    assert run.updates == [[2, 3, 4]]
    assert run.saved[0]["iterations_in_epoch"] == 5


@pytest.mark.parametrize(("begun", "bad", "position"), [(0, 5, 3), (0, 6, 6), (2, 4, 2), (2, 7, 5)])
def test_an_update_that_all_processes_gave_up_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: int, bad: int, position: int
) -> None:
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    run, met = Run(tmp_path, processes=2), []
    epochs = ResumableIterator(iterator(bad), tmp_path, "digest")
    epochs.load_state_dict({"epoch": 1, "iterations_in_epoch": begun, "shuffle": False})
    epochs.report = met.append
    run.updates = GivenUp(met)
    with pytest.raises(SharedFileError, match=r"All [123] updates are in .*checkpoint_last\.pt, from which"):
        run.train(epochs)
    (saved,) = run.saved
    assert (saved["epoch"], saved["iterations_in_epoch"]) == (1, position)


def test_an_epoch_that_ends_at_once_begins_anew(tmp_path: Path) -> None:
    run, epochs = Run(tmp_path), iterator()
    run.train(epochs)
    epochs.dataset.bad = 1
    with pytest.raises(AudioFileError, match="All 3 updates"):
        run.train(epochs)
    assert run.saved == [{"version": 2, "epoch": 2, "iterations_in_epoch": 0, "shuffle": False}]


@pytest.mark.parametrize("settings", [{"processes": 2}, {"no_save": True}, {"no_last_checkpoints": True}])
def test_where_nothing_may_be_saved_it_says_what_there_is(tmp_path: Path, settings: Any) -> None:
    run = Run(tmp_path, **settings)
    with pytest.raises(AudioFileError, match=r"There is no checkpoint to resume from$"):
        run.train(iterator(bad=5))
    (tmp_path / "checkpoint_last.pt").touch()
    with pytest.raises(AudioFileError, match=r"The last checkpoint is .*checkpoint_last\.pt$"):
        run.train(iterator(bad=5))
    assert not run.saved


def test_other_errors_stay_as_they_are(tmp_path: Path) -> None:
    run, epochs = Run(tmp_path), iterator()
    epochs.dataset.bad = "no number"
    epochs.collate_fn = len
    with pytest.raises(TypeError, match="int"):
        run.train(epochs)
    assert not run.saved


def test_a_finished_run_makes_no_update_and_saves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run, epochs = Run(tmp_path, max_update=3), iterator()
    assert run.train(epochs) == ([0.5], False)
    before = list(run.updates)
    assert run.train(epochs) == ([None], True)
    assert (run.updates, run.saved) == (before, [])
    assert "nothing is left to do: 3 updates are made, and `optimization.max_update` is 3" in caplog.text
    run.cfg.optimization.max_update = 4
    assert run.train(epochs) == ([0.5], False)
    assert len(run.updates) == 6


def test_a_finished_run_of_somebody_elses_task_is_fairseqs_to_end(tmp_path: Path) -> None:
    run = Run(tmp_path, max_update=3)
    run.trainer.task = None
    assert run.train(iterator()) == run.train(iterator()) == ([0.5], False)
