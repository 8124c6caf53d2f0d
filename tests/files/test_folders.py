"""Files in folders: their order, what is passed over, and which links are entered."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import List

import pytest

from data2vec_plugin.files.folders import Walk

ENDINGS = (".jpg", ".png")


def tree(root: Path, *names: str) -> Path:
    """A folder with such empty files."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def found(root: Path, start: str = "") -> List[List[str]]:
    return list(Walk(root, ENDINGS).by_folder(start))


def test_a_folders_files_come_before_its_folders(tmp_path: Path) -> None:
    tree(tmp_path, "b/1.jpg", "z.PNG", "b/c/2.jpg", "a/3.Jpg", "a.jpg", "b/notes.txt", "empty/notes.txt")
    assert found(tmp_path) == [["a.jpg", "z.PNG"], ["a/3.Jpg"], ["b/1.jpg"], ["b/c/2.jpg"]]
    assert found(tmp_path, start="b") == [["b/1.jpg"], ["b/c/2.jpg"]]


def test_what_is_hidden_is_passed_over(tmp_path: Path) -> None:
    assert found(tree(tmp_path, "._a.jpg", "a.jpg", ".thumbnails/a.jpg", "b/.jpg")) == [["a.jpg"]]


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    assert found(tree(tmp_path, "all.jpg/1.jpg")) == [["all.jpg/1.jpg"]]


def test_linked_folders_are_entered(tmp_path: Path) -> None:
    other = tree(tmp_path / "other", "1.jpg", "sub/2.jpg")
    root = tree(tmp_path / "root", "own.jpg")
    (root / "folder").symlink_to(other)
    (root / "file.jpg").symlink_to(other / "1.jpg")
    assert found(root) == [["file.jpg", "own.jpg"], ["folder/1.jpg"], ["folder/sub/2.jpg"]]


def test_links_that_lead_back_are_told_and_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = tree(tmp_path / "root", "a/1.jpg")
    (root / "a" / "again").symlink_to(root)
    caplog.set_level(logging.WARNING)
    assert found(root) == [["a/1.jpg"]]
    assert f"{root}/a/again leads back to {root}; passed over" in caplog.text
