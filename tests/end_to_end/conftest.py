"""What the end-to-end tests share: one synthesised corpus, one pre-trained checkpoint."""

from pathlib import Path

import pytest
from end_to_end_commands import pretrain_command
from forked_commands import run
from speech import synthesise


@pytest.fixture(scope="session")
def speech_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of manifests and labels of two minutes of synthesised speech."""
    return synthesise(tmp_path_factory.mktemp("speech"))


@pytest.fixture(scope="session")
def pretrained(speech_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six updates, its log beside its checkpoints."""
    folder = tmp_path_factory.mktemp("pretrained")
    log = run(pretrain_command(speech_data, folder, 6, "common.tensorboard_logdir=tensorboard"), cwd=folder)
    (folder / "train.log").write_text(log)
    return folder
