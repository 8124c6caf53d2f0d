"""What the end-to-end tests share: one synthesised corpus, one pre-trained checkpoint, whichever worker needs them."""

import fcntl
import os
from pathlib import Path
from typing import Any, Callable

import pytest
from end_to_end_commands import LONG, pretrain_command
from forked_commands import run
from speech import synthesise


def made_once(name: str, make: Callable[[Path], Any], factory: pytest.TempPathFactory) -> Path:
    """The folder that the first of pytest's processes to need it has filled."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            make(folder)
    return folder


@pytest.fixture(scope="session")
def speech_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of manifests and labels of two minutes of synthesised speech."""
    return made_once("speech", lambda folder: synthesise(folder, run), tmp_path_factory) / "data"


@pytest.fixture(scope="session")
def pretrained(speech_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six updates on long clips, with `train.log` and what its console showed."""

    def pretrain(folder: Path) -> None:
        options = ("common.tensorboard_logdir=tensorboard", "common.log_format=null", *LONG)
        (folder / "console.log").write_text(run(pretrain_command(speech_data, folder, 6, *options), cwd=folder))

    return made_once("pretrained", pretrain, tmp_path_factory)
