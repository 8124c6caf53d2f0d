"""The log beside the checkpoints, where it cannot be written."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from data2vec_plugin.files.locks import FolderInUseError, FolderLock
from data2vec_plugin.runs.run_log import LOG, keep_log


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir()
    before = list(logging.getLogger().handlers)
    with pytest.raises(OSError, match=r"'.*train\.log', in `checkpoint\.save_dir`, which cannot be written .*: move"):
        keep_log(SimpleNamespace(save_dir=str(tmp_path), no_save=False))
    assert logging.getLogger().handlers == before


def test_two_runs_do_not_save_into_one_folder(tmp_path: Path) -> None:
    settings = SimpleNamespace(save_dir=str(tmp_path), no_save=False)
    with FolderLock(tmp_path), pytest.raises(FolderInUseError, match="is being written"):
        keep_log(settings)
    keep_log(settings)
    with pytest.raises(FolderInUseError):
        FolderLock(tmp_path)
    keep_log(SimpleNamespace(save_dir=str(tmp_path), no_save=True))  # the next training of a sweep
    FolderLock(tmp_path).release()
