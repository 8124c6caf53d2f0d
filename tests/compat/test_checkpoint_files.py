"""Checkpoints are copied by rename; a damaged one is passed over for the one before it."""

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Tuple

import pytest
import torch

from data2vec_compat.patches import checkpoint_files
from data2vec_compat.safe_load import UnreadableCheckpointError

checkpoint_utils = pytest.importorskip("fairseq.checkpoint_utils")


def config(folder: Path, **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(save_dir=str(folder), restore_file="checkpoint_last.pt", finetune_from_model=None, **changes)


def stock(loaded: List[Tuple[str, Any]]) -> SimpleNamespace:
    """A module with fairseq's two functions, cut down to what the patch touches."""

    def load_checkpoint_to_cpu(path: str) -> Any:
        return torch.load(path, weights_only=True)

    def load_checkpoint(cfg: Any, trainer: Any) -> Any:
        path = os.path.join(cfg.save_dir, os.path.basename(cfg.restore_file))
        loaded.append((os.path.basename(path), module.load_checkpoint_to_cpu(path)))
        return loaded[-1]

    module = SimpleNamespace(load_checkpoint=load_checkpoint, load_checkpoint_to_cpu=load_checkpoint_to_cpu)
    checkpoint_files.fall_back(module)  # type: ignore[arg-type]
    return module


def save(folder: Path, name: str, step: int, when: int, cut: int = 0) -> None:
    path = folder / name
    torch.save({"step": step, "weights": torch.zeros(1000)}, path)
    if cut:
        path.write_bytes(path.read_bytes()[:-cut])
    os.utime(path, (when, when))


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def step_of(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["step"])


def fairseq_saves(folder: Path, updates: int, keep: int) -> None:
    """fairseq's own saving after so many updates of an epoch, at every hundredth under a name of its own as well."""
    from fairseq.dataclass.configs import CheckpointConfig

    def save_checkpoint(path: str, extra_state: Any) -> None:
        checkpoint_utils.torch_persistent_save({"step": updates}, path)

    trainer = SimpleNamespace(
        data_parallel_rank=0,
        consolidate_optimizer=lambda: None,
        should_save_checkpoint_on_current_rank=True,
        get_num_updates=lambda: updates,
        checkpoint_suffix="",
        task=None,
        save_checkpoint=save_checkpoint,
    )
    iterator = SimpleNamespace(epoch=1, end_of_epoch=lambda: False, state_dict=dict)
    cfg = CheckpointConfig(save_dir=str(folder), save_interval_updates=100, keep_interval_updates=keep)
    checkpoint_utils.save_checkpoint(cfg, trainer, iterator, None)


def test_copies_are_renamed_into_place(tmp_path: Path) -> None:
    from fairseq.file_io import PathManager

    source, target = tmp_path / "a.pt", tmp_path / "checkpoint_last.pt"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    before = target.stat().st_ino
    held = target.open("rb")  # whoever reads it meanwhile reads the old one to its end
    assert PathManager.copy(str(source), str(target), overwrite=True)
    assert (target.read_bytes(), held.read()) == (b"new", b"old")
    assert target.stat().st_ino != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt", "checkpoint_last.pt"]


def test_a_damaged_last_checkpoint_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save(tmp_path, "checkpoint_1_100.pt", 100, when=1)
    save(tmp_path, "checkpoint_1_200.pt", 200, when=2)
    save(tmp_path, "checkpoint_best.pt", 300, when=3, cut=500)
    save(tmp_path, "checkpoint_last.pt", 300, when=4, cut=500)
    caplog.set_level(logging.WARNING)
    loaded: List[Tuple[str, Any]] = []
    cfg = config(tmp_path)
    name, state = stock(loaded).load_checkpoint(cfg, None)
    assert (name, state["step"]) == ("checkpoint_1_200.pt", 200)
    assert "checkpoint_last.pt cannot be read" in caplog.text
    assert "going on from" in caplog.text
    assert cfg.restore_file == "checkpoint_last.pt"


def test_the_one_before_is_kept_and_gone_on_from(tmp_path: Path) -> None:
    last = tmp_path / "checkpoint_last.pt"
    for step in (1, 2, 3):
        checkpoint_utils.torch_persistent_save({"step": step}, str(last))
    assert names(tmp_path) == ["checkpoint_last.pt", "checkpoint_previous.pt"]
    assert step_of(last) == 3
    last.write_bytes(last.read_bytes()[:-100])
    name, state = stock([]).load_checkpoint(config(tmp_path), None)
    assert (name, state["step"]) == ("checkpoint_previous.pt", 2)
    checkpoint_utils.torch_persistent_save({"step": 3}, str(last))  # where a damaged one was, nothing is kept
    assert step_of(tmp_path / "checkpoint_previous.pt") == 2


def test_fairseq_prunes_around_the_previous_checkpoint(tmp_path: Path) -> None:
    for updates in (100, 200):
        fairseq_saves(tmp_path, updates, keep=2)
    previous = tmp_path / "checkpoint_previous.pt"
    assert previous.samefile(tmp_path / "checkpoint_1_100.pt")  # no more room than without it
    fairseq_saves(tmp_path, 300, keep=1)
    fairseq_saves(tmp_path, 350, keep=1)
    assert names(tmp_path) == ["checkpoint_1_300.pt", "checkpoint_last.pt", "checkpoint_previous.pt"]
    assert [step_of(tmp_path / name) for name in names(tmp_path)] == [300, 350, 300]
    fairseq_saves(tmp_path, 400, keep=1)
    assert [step_of(tmp_path / name) for name in names(tmp_path)] == [400, 400, 350]


def test_a_save_that_fails_leaves_both_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for updates in (50, 100):
        fairseq_saves(tmp_path, updates, keep=1)

    def no_space(source: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint_files.shutil, "copyfile", no_space)
    with pytest.raises(OSError, match="No space left"):
        fairseq_saves(tmp_path, 200, keep=1)
    assert step_of(tmp_path / "checkpoint_last.pt") == 100
    assert step_of(tmp_path / "checkpoint_previous.pt") == 50


def test_without_hard_links_a_run_saves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(checkpoint_files.os, "link", refuse)
    for step in (1, 2):
        checkpoint_utils.torch_persistent_save({"step": step}, str(tmp_path / "checkpoint_last.pt"))
    assert (names(tmp_path), step_of(tmp_path / "checkpoint_last.pt")) == (["checkpoint_last.pt"], 2)
    assert "without being kept as checkpoint_previous.pt" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "an empty file; copy it again, use another one or delete it"), (b"not a checkpoint", "a text file")],
)
def test_without_another_one_the_damage_is_an_error(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "checkpoint_last.pt").write_bytes(content)
    with pytest.raises(UnreadableCheckpointError, match=rf"checkpoint_last\.pt cannot be read.*it is {words}"):
        stock([]).load_checkpoint(config(tmp_path), None)


def test_a_damaged_file_that_was_asked_for_is_an_error(tmp_path: Path) -> None:
    save(tmp_path, "checkpoint_1_100.pt", 100, when=1)
    save(tmp_path, "mine.pt", 100, when=2, cut=300)
    cfg = config(tmp_path)
    cfg.restore_file = "mine.pt"
    with pytest.raises(UnreadableCheckpointError, match=r"mine\.pt"):
        stock([]).load_checkpoint(cfg, None)


def test_a_whole_file_that_is_refused_keeps_its_own_error(tmp_path: Path) -> None:
    torch.save({"path": Path("x")}, tmp_path / "checkpoint_last.pt")
    with pytest.raises(Exception, match=r"(?i)weights.only|unsupported") as error:
        stock([]).load_checkpoint(config(tmp_path), None)
    assert not isinstance(error.value, UnreadableCheckpointError)


def test_each_training_of_a_process_begins_without_a_best_score() -> None:
    from fairseq_cli import train

    seen = []
    module = SimpleNamespace(
        checkpoint_utils=SimpleNamespace(save_checkpoint=lambda: None),
        should_stop_early=train.should_stop_early,
        main=lambda: seen.append(getattr(module.checkpoint_utils.save_checkpoint, "best", None)),
    )
    checkpoint_files.forget_best(module)  # type: ignore[arg-type]
    module.checkpoint_utils.save_checkpoint.best = 0.1
    module.main()
    assert seen == [None]


def test_a_save_folder_that_cannot_be_written_names_its_key(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OSError, match=r"`checkpoint\.save_dir` is '.*file/out'.*choose another folder"):
        checkpoint_utils.verify_checkpoint_directory(str(blocked / "out"))


def trained(**keys: Any) -> List[Any]:
    """What reaches fairseq's training, of a configuration with these keys in its sections."""
    seen: List[Any] = []
    module = SimpleNamespace(main=seen.append)
    checkpoint_files.look_at_curves(module)  # type: ignore[arg-type]
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
