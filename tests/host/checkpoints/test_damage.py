"""A damaged checkpoint is found before it is loaded, and passed over for the one before it."""

import logging
import os
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Tuple

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.trainer import Trainer
from host.checkpoints.saved import names, run_saves, step_of
from torch import nn

from data2vec_compat.safe_load import UnreadableCheckpointError
from data2vec_plugin.host.training.trainer import Data2VecTrainer

Loaded = List[Tuple[str, Any]]


def config(folder: Path, **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{"save_dir": str(folder), "restore_file": "checkpoint_last.pt", **changes})


class CutDown(Data2VecTrainer):
    """Ours, with what it has loaded."""

    data_parallel_world_size = 1
    checkpoint_suffix = ""
    task = None

    def __init__(self, cfg: Any, loaded: Loaded) -> None:
        self.cfg, self.loaded = SimpleNamespace(checkpoint=cfg), loaded

    def get_model(self) -> Any:
        return nn.Linear(1, 1)

    def resume(self) -> Any:
        """As fairseq's function asks for it."""
        return self.load_checkpoint(os.path.join(self.cfg.checkpoint.save_dir, self.cfg.checkpoint.restore_file))


@pytest.fixture(autouse=True)
def stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """fairseq's own method reads the file by the reader; here it tells what it found."""

    def load_checkpoint(self: Any, filename: str, reset_optimizer: bool) -> Any:
        self.loaded.append((os.path.basename(filename), checkpoint_utils.load_checkpoint_to_cpu(filename)))
        return self.loaded[-1]

    monkeypatch.setattr(Trainer, "load_checkpoint", load_checkpoint)
    monkeypatch.setattr(checkpoint_utils, "_upgrade_state_dict", lambda state: state)


def save(folder: Path, name: str, step: int, when: int, cut: int = 0) -> None:
    path = folder / name
    torch.save({"step": step, "weights": torch.arange(1.0, 1001.0)}, path)
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    os.utime(path, (when, when))


def zero(path: Path, member: str, size: int = 64) -> None:
    """Zero bytes in the middle of a part of a checkpoint, as a bad block does; the index of its parts stays whole."""
    with zipfile.ZipFile(path) as archive:
        found = next(info for info in archive.infolist() if info.filename.endswith(member))
        with archive.open(found) as part:
            content = part.read()
    whole, middle = path.read_bytes(), len(content) // 2 - size // 2
    begin = whole.index(content) + middle
    path.write_bytes(whole[:begin] + bytes(size) + whole[begin + size :])


def test_a_damaged_last_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path, "checkpoint_1_100.pt", 100, when=1)
    save(tmp_path, "checkpoint_1_200.pt", 200, when=2)
    save(tmp_path, "checkpoint_best.pt", 300, when=3, cut=500)
    save(tmp_path, "checkpoint_last.pt", 300, when=4, cut=500)
    caplog.set_level(logging.WARNING)
    loaded: Loaded = []
    cfg = config(tmp_path)
    name, state = CutDown(cfg, loaded).resume()
    assert (name, state["step"]) == ("checkpoint_1_200.pt", 200)
    assert "checkpoint_last.pt cannot be read" in caplog.text
    assert "resuming from" in caplog.text
    assert cfg.restore_file == "checkpoint_last.pt"


@pytest.mark.parametrize("member", ["data/0", "data.pkl"])
def test_bytes_that_changed_in_a_whole_archive_are_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, member: str
) -> None:
    for step, name in enumerate(("checkpoint_1_100.pt", "checkpoint_best.pt", "checkpoint_last.pt")):
        save(tmp_path, name, step, when=step)
    for name in ("checkpoint_best.pt", "checkpoint_last.pt"):
        zero(tmp_path / name, member)
        os.utime(tmp_path / name, (3, 3))
    caplog.set_level(logging.WARNING)
    loaded: Loaded = []
    assert CutDown(config(tmp_path), loaded).resume()[0] == "checkpoint_1_100.pt"
    assert [name for name, _ in loaded] == ["checkpoint_1_100.pt"]
    last, best = (record.getMessage() for record in caplog.records)
    assert "checkpoint_last.pt cannot be read" in last
    assert f"it is damaged: the checksum of `checkpoint_last/{member}` in it does not match" in last
    assert last.endswith("checkpoint_best.pt instead")
    assert "checkpoint_best.pt cannot be read" in best
    assert best.endswith("checkpoint_1_100.pt instead")


def test_where_all_are_damaged_the_first_is_told(tmp_path: Path) -> None:
    for name in ("checkpoint_last.pt", "checkpoint_previous.pt"):
        save(tmp_path, name, 1, when=1)
        zero(tmp_path / name, "data/0")
    cfg = config(tmp_path)
    with pytest.raises(UnreadableCheckpointError, match=r"^checkpoint .*checkpoint_last\.pt cannot be read"):
        CutDown(cfg, []).resume()
    assert cfg.restore_file == "checkpoint_last.pt"


def test_a_damaged_pretrained_model_names_file_and_damage(tmp_path: Path) -> None:
    save(tmp_path, "pretrained.pt", 1, when=1)
    zero(tmp_path / "pretrained.pt", "data.pkl")
    with pytest.raises(
        UnreadableCheckpointError,
        match=r"pretrained\.pt cannot be read .*damaged: the checksum of `pretrained/data\.pkl`",
    ):
        checkpoint_utils.load_checkpoint_to_cpu(str(tmp_path / "pretrained.pt"))


def test_what_has_no_checksums_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint_last.pt"
    torch.save({"step": 1}, path, _use_new_zipfile_serialization=False)
    assert CutDown(config(tmp_path), []).resume()[1]["step"] == 1
    if not hasattr(torch.serialization, "set_crc32_options"):
        return  # an older torch always writes them
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"step": 2}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert CutDown(config(tmp_path), []).resume()[1]["step"] == 2


def test_the_one_before_is_kept_and_gone_on_from(tmp_path: Path) -> None:
    last = tmp_path / "checkpoint_last.pt"
    for step in (1, 2, 3):
        run_saves(tmp_path, step)
    assert names(tmp_path) == ["checkpoint_last.pt", "checkpoint_previous.pt"]
    assert step_of(last) == 3
    last.write_bytes(last.read_bytes()[:-100])
    name, state = CutDown(config(tmp_path), []).resume()
    assert (name, state["step"]) == ("checkpoint_previous.pt", 2)
    run_saves(tmp_path, 3)  # where a damaged one was, nothing is kept
    assert step_of(tmp_path / "checkpoint_previous.pt") == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "an empty file; copy it again, use another checkpoint or delete it"), (b"not a checkpoint", "a text file")],
)
def test_without_another_one_the_damage_is_an_error(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "checkpoint_last.pt").write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match=rf"checkpoint_last\.pt cannot be read.*it is {words}"):
        CutDown(config(tmp_path), []).resume()


def test_a_damaged_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    save(tmp_path, "checkpoint_1_100.pt", 100, when=1)
    save(tmp_path, "mine.pt", 100, when=2, cut=300)
    cfg = config(tmp_path)
    cfg.restore_file = "mine.pt"
    with pytest.raises(UnreadableCheckpointError, match=r"mine\.pt"):
        CutDown(cfg, []).resume()


def test_a_whole_file_that_is_refused_keeps_its_own_error(tmp_path: Path) -> None:
    torch.save({"path": Path("x")}, tmp_path / "checkpoint_last.pt")
    with pytest.raises(Exception, match=r"(?i)weights.only|unsupported") as error:
        CutDown(config(tmp_path), []).resume()
    assert not isinstance(error.value, UnreadableCheckpointError)
