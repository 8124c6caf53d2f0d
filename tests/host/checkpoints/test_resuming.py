"""A checkpoint that was asked for and is not there is an error; a first launch without one is none."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
from fairseq import checkpoint_utils
from fairseq.dataclass.configs import CheckpointConfig
from fairseq.file_io import PathManager
from fairseq.trainer import Trainer
from torch import nn

from data2vec_plugin.host.training.trainer import Data2VecTrainer


class CutDown(Data2VecTrainer):
    """What fairseq's function asks of a trainer."""

    data_parallel_world_size = 1
    checkpoint_suffix = ""
    task = None

    def __init__(self, cfg: Any) -> None:
        self.cfg = SimpleNamespace(checkpoint=cfg)

    def get_model(self) -> Any:
        return nn.Linear(1, 1)

    def get_train_iterator(self, **options: Any) -> Any:
        return SimpleNamespace(epoch=1)

    def lr_step(self, epoch: int) -> None:
        pass


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """fairseq's own method notes which files it is told to load."""
    monkeypatch.setattr(Trainer, "load_checkpoint", lambda self, filename, *args, **options: self.told.append(filename))


def load(folder: Path, suffix: str = "", kind: Any = CutDown, **settings: Any) -> List[str]:
    """fairseq's own function; the file that it went on to load."""
    cfg = CheckpointConfig(save_dir=str(folder))
    for key, value in settings.items():
        setattr(cfg, key, value)
    trainer = kind(cfg)
    trainer.checkpoint_suffix, trainer.told = suffix, []
    checkpoint_utils.load_checkpoint(cfg, trainer)
    told: List[str] = trainer.told
    return told


def test_somebody_elses_run_passes_it_over_as_fairseq_does(tmp_path: Path) -> None:
    class Stock(Trainer):  # type: ignore[misc]
        checkpoint_suffix = ""
        __init__, get_train_iterator, lr_step = CutDown.__init__, CutDown.get_train_iterator, CutDown.lr_step

    assert load(tmp_path, kind=Stock, restore_file="/x/nothere.pt") == ["/x/nothere.pt"]


def test_a_misspelt_file_names_key_file_and_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"`checkpoint\.restore_file` is '/x/nothere\.pt', which is not an existing file\. Set"
    ):
        load(tmp_path, restore_file="/x/nothere.pt")
    with pytest.raises(ValueError, match="which is not an existing file"):
        load(tmp_path, restore_file=str(tmp_path))  # a folder


def test_fairseq_looks_for_relative_names_where_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, folder = tmp_path / "here", tmp_path / "out"
    for each in (here, folder):
        each.mkdir()
    monkeypatch.chdir(here)
    (folder / "checkpoint_best.pt").touch()
    with pytest.raises(ValueError, match=rf"start at {here}; `checkpoint\.restore_file={folder}/checkpoint_best\.pt`"):
        load(folder, restore_file="checkpoint_best.pt")
    (here / "checkpoint_best.pt").touch()
    assert load(folder, restore_file="checkpoint_best.pt") == ["checkpoint_best.pt"]


def test_each_process_wants_its_own_shard(tmp_path: Path) -> None:
    (tmp_path / "a.pt").touch()
    with pytest.raises(
        ValueError, match=r"a\.pt', which is not an existing file \(as .*a-shard1\.pt, for this process\)"
    ):
        load(tmp_path, "-shard1", restore_file=str(tmp_path / "a.pt"))
    (tmp_path / "a-shard1.pt").touch()
    assert load(tmp_path, "-shard1", restore_file=str(tmp_path / "a.pt")) == [str(tmp_path / "a-shard1.pt")]


def test_a_first_launch_has_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    last = str(tmp_path / "checkpoint_last.pt")
    assert load(tmp_path) == [last]
    assert load(tmp_path, restore_file=last) == [last]  # the default, with its folder
    monkeypatch.chdir(tmp_path)
    assert load(Path("."), restore_file="./checkpoint_last.pt") == ["./checkpoint_last.pt"]
    assert load(tmp_path, restore_file="") == [""]


def test_a_repeated_launch_begins_with_the_same_file(tmp_path: Path) -> None:
    for name in ("pretrained.pt", "checkpoint_last.pt"):
        (tmp_path / name).touch()
    assert load(tmp_path, restore_file=str(tmp_path / "pretrained.pt")) == [str(tmp_path / "pretrained.pt")]


def test_what_is_remote_is_asked_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PathManager, "isfile", staticmethod(lambda path: path == "s3://a/b.pt"))
    assert load(tmp_path, restore_file="s3://a/b.pt") == ["s3://a/b.pt"]
    with pytest.raises(ValueError, match=r"is 's3://a/c\.pt', which is not an existing file\. Set"):
        load(tmp_path, restore_file="s3://a/c.pt")


def test_what_a_run_begins_with_once_must_be_there_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`checkpoint\.continue_once` is '/x/nothere\.pt'"):
        load(tmp_path, continue_once="/x/nothere.pt")
    last = tmp_path / "checkpoint_last.pt"
    last.touch()
    assert load(tmp_path, continue_once="/x/nothere.pt") == [str(last)]
