"""The log beside the checkpoints, where it cannot be written."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from data2vec_plugin.runs.run_log import LOG, keep_log


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / LOG).mkdir()
    before = list(logging.getLogger().handlers)
    with pytest.raises(OSError, match=r"'.*train\.log', in `checkpoint\.save_dir`, which cannot be written .*: move"):
        keep_log(SimpleNamespace(save_dir=str(tmp_path), no_save=False))
    assert logging.getLogger().handlers == before
