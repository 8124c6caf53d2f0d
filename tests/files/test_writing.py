"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data2vec_plugin.files.writing import replace_durably, replacing_folder


def test_a_part_takes_its_place(tmp_path: Path) -> None:
    (tmp_path / "part").write_text("new")
    (tmp_path / "file").write_text("old")
    replace_durably(tmp_path / "part", tmp_path / "file")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "new")]


def test_what_takes_a_place_is_on_the_disk_by_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, file = tmp_path / "part", tmp_path / "file"
    part.write_text("new")
    file.write_text("old")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.fstat(number).st_ino, file.read_text())))
    number = part.stat().st_ino
    replace_durably(part, file)
    assert synced[0] == (number, "old")


def test_a_folder_is_replaced_as_a_whole_or_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    for content in ("old", "new"):
        with replacing_folder(folder) as part:
            (part / content).touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    with pytest.raises(FileNotFoundError), replacing_folder(folder) as part:
        (part / "none" / "half").touch()
    stock = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError("no room")
        return stock(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="no room"), replacing_folder(folder) as part:
        (part / "half").touch()
    assert [path.name for path in folder.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
