"""A run that was killed goes on, from its last checkpoint, to exactly what it would have been.

All but the first are forks, which a signal ends as it ends a process of its own.

`DATA2VEC_KILLS=10` kills ten runs, in updates, while they save, and every third also as it validates and draws curves;
the moments are drawn from the number of the run, so that a failure can be repeated.
"""

import os
import random
import shutil
import signal
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
import speech
import torch
from checkpoint_weights import weights
from end_to_end_commands import pretrain_command
from forked_commands import end, run

from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("crashes")

UPDATES = 9
INTERRUPTED_RUN = Path(__file__).parent / "interrupted_run.py"
WATCHED = (
    *("dataset.disable_validation=false", "dataset.validate_interval_updates=2"),
    "common.tensorboard_logdir=curves",
)
"""Each second update is followed by a validation."""
KILLS = int(os.environ.get("DATA2VEC_KILLS", "2"))


def command(data: Path, folder: Path, workers: int = 0) -> List[str]:
    settings = ("dataset.disable_validation=true", f"dataset.num_workers={workers}")
    return pretrain_command(data, folder, UPDATES, *settings)


def losses(log: Path) -> Dict[int, float]:
    try:
        series = read_training_log(log)["train_inner/loss"]
    except ValueError:  # killed before the first update
        return {}
    return dict(zip(series.updates, series.values))


def interrupted(
    words: List[str], log: Path, update: int, delay: float, how: signal.Signals, end: Callable[..., Any] = end
) -> int:
    """Start a run that gets a signal `delay` seconds after an update has begun, and return its exit code."""
    program = [sys.executable, str(INTERRUPTED_RUN), str(update), str(delay), how.name]
    code, said = end([*program, *words[1:]], cwd=log.parent)
    log.write_text(said)
    return code


@pytest.fixture(scope="session")
def unbroken(speech_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    every = "checkpoint.keep_interval_updates=9"
    (folder / "train.log").write_text(run([*command(speech_data, folder), every], cwd=folder))
    return folder


def goes_on_as_unbroken(data: Path, folder: Path, unbroken: Path, workers: int = 0) -> None:
    """Run to the end; every loss and the last weights must be those of the unbroken run."""
    again = folder / "again.log"
    again.write_text(run(command(data, folder, workers), cwd=folder))
    expected = losses(unbroken / "train.log")
    assert sorted(expected) == list(range(1, UPDATES + 1))
    resumed = losses(again)
    assert resumed == {update: expected[update] for update in resumed}
    assert UPDATES in resumed
    first, second = weights(unbroken), weights(folder)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("number", range(KILLS))
def test_kill_at_a_random_moment(speech_data: Path, tmp_path: Path, unbroken: Path, number: int) -> None:
    rng, workers = random.Random(number), 2 * (number % 2)
    update, delay = rng.randrange(UPDATES - 2), rng.random() / 4
    words, log = command(speech_data, tmp_path, workers), tmp_path / "first.log"
    words += WATCHED if number % 3 == 2 else ()
    code = interrupted(words, log, update, delay, signal.SIGKILL, speech.end if number == 0 else end)
    assert code == -signal.SIGKILL
    had_saved = (tmp_path / "checkpoint_last.pt").exists()
    assert had_saved or update < 4
    goes_on_as_unbroken(speech_data, tmp_path, unbroken, workers)
    assert ("Loaded checkpoint" in (tmp_path / "again.log").read_text()) == had_saved


def test_control_c_with_workers_and_without(speech_data: Path, tmp_path: Path, unbroken: Path) -> None:
    for update, workers in ((4, 2), (7, 0)):
        log = tmp_path / f"{workers}-workers.log"
        code = interrupted(command(speech_data, tmp_path, workers), log, update, 0.0, signal.SIGINT)
        assert code not in (0, -signal.SIGKILL)
        assert "KeyboardInterrupt" in log.read_text()
    assert "Loaded checkpoint" in log.read_text()
    goes_on_as_unbroken(speech_data, tmp_path, unbroken)


@pytest.mark.parametrize("workers", [0, 2])
def test_full_disk_leaves_the_last_checkpoint_whole(
    speech_data: Path, tmp_path: Path, unbroken: Path, workers: int
) -> None:
    shutil.copy(next(unbroken.glob("checkpoint_*_3.pt")), tmp_path / "checkpoint_last.pt")
    before = (tmp_path / "checkpoint_last.pt").read_bytes()
    code, said = end(command(speech_data, tmp_path, workers), cwd=tmp_path, file_size=len(before) // 2)
    assert code != 0
    assert "File too large" in said
    assert (tmp_path / "checkpoint_last.pt").read_bytes() == before
    goes_on_as_unbroken(speech_data, tmp_path, unbroken, workers)


def test_damaged_checkpoint_is_passed_over(speech_data: Path, tmp_path: Path, unbroken: Path) -> None:
    interrupted(command(speech_data, tmp_path), tmp_path / "first.log", 7, 0.0, signal.SIGKILL)
    for numbered in tmp_path.glob("checkpoint_*_*.pt"):
        numbered.unlink()  # a run that saves at the ends of epochs alone has none
    last = tmp_path / "checkpoint_last.pt"
    whole = last.read_bytes()
    with zipfile.ZipFile(last) as archive:
        tensors = [entry for entry in archive.infolist() if "/data/" in entry.filename]
    tensor = max(tensors, key=lambda entry: entry.file_size)
    middle = tensor.header_offset + tensor.file_size // 2  # in its data: the index stays whole
    changed = bytes(255 - byte for byte in whole[middle:][:1000])
    last.write_bytes(whole[:middle] + changed + whole[middle + 1000 :])
    goes_on_as_unbroken(speech_data, tmp_path, unbroken)
    log = (tmp_path / "again.log").read_text()
    assert "checkpoint_last.pt cannot be read" in log
    assert "it is damaged: the checksum of `archive/data/" in log
    assert "checkpoint_previous.pt instead" in log
