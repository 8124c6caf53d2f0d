"""A folder that cannot be written is named with its key, before the run begins."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
from compat.saving import names

from data2vec_compat.patches import writable_folders

checkpoint_utils = pytest.importorskip("fairseq.checkpoint_utils")


def test_a_save_folder_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OSError, match=r"`checkpoint\.save_dir` is '.*file/out'.*choose another folder"):
        checkpoint_utils.verify_checkpoint_directory(str(blocked / "out"))


def trained(**keys: Any) -> List[Any]:
    """What reaches fairseq's training, of a configuration with these keys in its sections."""
    seen: List[Any] = []
    module = SimpleNamespace(main=seen.append)
    writable_folders.look_at_curves(module)  # type: ignore[arg-type]
    module.main(SimpleNamespace(**{section: SimpleNamespace(**values) for section, values in keys.items()}))
    return seen


def test_a_folder_of_curves_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OSError, match=r"`common\.tensorboard_logdir` is '.*file/curves'.*choose another folder"):
        trained(common={"tensorboard_logdir": str(blocked / "curves")}, distributed_training={"distributed_rank": 0})


def test_the_folder_of_curves_is_looked_at_where_they_are_drawn(tmp_path: Path) -> None:
    curves = {"tensorboard_logdir": str(tmp_path / "curves")}
    assert trained(common=curves, distributed_training={"distributed_rank": 1})
    assert not names(tmp_path)
    assert trained(common=curves, distributed_training={"distributed_rank": 0})
    assert names(tmp_path) == ["curves"]
    assert not names(tmp_path / "curves")
    assert trained(common={"tensorboard_logdir": "s3://bucket/curves"}, distributed_training={})
    assert trained(common={"tensorboard_logdir": None}, distributed_training={})
