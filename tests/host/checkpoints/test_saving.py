"""Checkpoints are copied by rename, and the one before the last is kept."""

from pathlib import Path

import pytest
from host.checkpoints.saved import names, run_saves, step_of

from data2vec_plugin.host.checkpoints import saving
from data2vec_plugin.host.checkpoints.saving import CarefulFiles


def test_copies_are_renamed_into_place(tmp_path: Path) -> None:
    source, target = tmp_path / "a.pt", tmp_path / "checkpoint_last.pt"
    source.write_bytes(b"new")
    target.write_bytes(b"old")
    before = target.stat().st_ino
    held = target.open("rb")  # whoever reads it meanwhile reads the old one to its end
    assert CarefulFiles.copy(str(source), str(target), overwrite=True)
    assert (target.read_bytes(), held.read()) == (b"new", b"old")
    assert target.stat().st_ino != before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pt", "checkpoint_last.pt"]


def test_a_run_of_somebody_elses_saves_as_fairseq_does(tmp_path: Path) -> None:
    for updates in (100, 200):
        run_saves(tmp_path, updates, task=object())
        inode = (tmp_path / "checkpoint_last.pt").stat().st_ino
    assert names(tmp_path) == ["checkpoint_1_100.pt", "checkpoint_1_200.pt", "checkpoint_last.pt"]
    run_saves(tmp_path, 300, task=object())
    assert (tmp_path / "checkpoint_last.pt").stat().st_ino == inode, "fairseq writes over it"


def test_fairseq_prunes_around_the_previous_checkpoint(tmp_path: Path) -> None:
    for updates in (100, 200):
        run_saves(tmp_path, updates, keep=2)
    previous = tmp_path / "checkpoint_previous.pt"
    assert previous.samefile(tmp_path / "checkpoint_1_100.pt")  # no more room than without it
    run_saves(tmp_path, 300, keep=1)
    run_saves(tmp_path, 350, keep=1)
    assert names(tmp_path) == ["checkpoint_1_300.pt", "checkpoint_last.pt", "checkpoint_previous.pt"]
    assert [step_of(tmp_path / name) for name in names(tmp_path)] == [300, 350, 300]
    run_saves(tmp_path, 400, keep=1)
    assert [step_of(tmp_path / name) for name in names(tmp_path)] == [400, 400, 350]


def test_a_save_that_fails_leaves_both_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for updates in (50, 100):
        run_saves(tmp_path, updates, keep=1)

    def no_space(source: str, target: str) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saving.shutil, "copyfile", no_space)
    with pytest.raises(OSError, match="No space left"):
        run_saves(tmp_path, 200, keep=1)
    assert step_of(tmp_path / "checkpoint_last.pt") == 100
    assert step_of(tmp_path / "checkpoint_previous.pt") == 50


def test_without_hard_links_a_run_saves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(saving.os, "link", refuse)
    for step in (1, 2):
        run_saves(tmp_path, step)
    assert (names(tmp_path), step_of(tmp_path / "checkpoint_last.pt")) == (["checkpoint_last.pt"], 2)
    assert "without being kept as checkpoint_previous.pt" in caplog.text
