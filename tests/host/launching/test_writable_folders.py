"""A folder that cannot be written is named with its key, before the run begins."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from host.checkpoints.saved import names

from data2vec_plugin.host.launching import ours, writable_folders

checkpoint_utils = pytest.importorskip("fairseq.checkpoint_utils")


def test_a_save_folder_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    named = r"`checkpoint\.save_dir` is '.*file/out'.*choose another folder"
    with ours.training(), pytest.raises(OSError, match=named):
        checkpoint_utils.verify_checkpoint_directory(str(blocked / "out"))
    with pytest.raises(OSError, match="Not a directory") as told:  # somebody else's
        checkpoint_utils.verify_checkpoint_directory(str(blocked / "out"))
    assert "save_dir" not in str(told.value)


def looked_at(**keys: Any) -> None:
    """A configuration with these keys in its sections."""
    writable_folders.look_at_logs(SimpleNamespace(**{name: SimpleNamespace(**each) for name, each in keys.items()}))


def test_a_folder_of_curves_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OSError, match=r"`common\.tensorboard_logdir` is '.*file/curves'.*choose another folder"):
        looked_at(common={"tensorboard_logdir": str(blocked / "curves")}, distributed_training={"distributed_rank": 0})


def test_the_folder_of_curves_is_looked_at_where_they_are_drawn(tmp_path: Path) -> None:
    curves = {"tensorboard_logdir": str(tmp_path / "curves")}
    looked_at(common=curves, distributed_training={"distributed_rank": 1})
    assert not names(tmp_path)
    looked_at(common=curves, distributed_training={"distributed_rank": 0})
    assert names(tmp_path) == ["curves"]
    assert not names(tmp_path / "curves")
    looked_at(common={"tensorboard_logdir": "s3://bucket/curves"}, distributed_training={})
    looked_at(common={"tensorboard_logdir": None}, distributed_training={})


def test_a_log_file_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "run.log", tmp_path / "file" / "run.log", tmp_path):
        with pytest.raises(OSError, match=r"`common\.log_file` is '.*', which cannot be written \(.*create its folder"):
            looked_at(common={"log_file": str(path)})
    (tmp_path / "run.log").write_text("before\n")
    looked_at(common={"log_file": str(tmp_path / "run.log")})
    assert (tmp_path / "run.log").read_text() == "before\n"
