"""Files in folders: their order, what is passed over, and which links are entered."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path
from typing import List

import pytest

from data2vec_plugin.files import folders
from data2vec_plugin.files.folders import Walk
from data2vec_plugin.files.opening import opened
from data2vec_plugin.files.unusable import UnusableFileError

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
    assert f"{root}/a/again links back to {root}; skipped" in caplog.text


def test_mutual_links_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tree(tmp_path / "x", "1.jpg")
    tree(tmp_path / "y", "2.jpg")
    (tmp_path / "x" / "to_y").symlink_to(tmp_path / "y")
    (tmp_path / "y" / "to_x").symlink_to("../x")
    assert found(tmp_path / "x") == [["1.jpg"], ["to_y/2.jpg"]]
    assert sorted(Walk(tmp_path, ENDINGS).files()) == ["x/1.jpg", "x/to_y/2.jpg", "y/2.jpg", "y/to_x/1.jpg"]
    assert "links back" in caplog.text


def test_a_folder_that_two_links_lead_to_is_listed_twice(tmp_path: Path) -> None:
    disk, root = tree(tmp_path / "disk", "1.jpg"), tree(tmp_path / "root", "0.jpg")
    for name in ("a", "b"):
        (root / name).symlink_to(disk)
    assert found(root) == [["0.jpg"], ["a/1.jpg"], ["b/1.jpg"]]


def test_a_maze_of_links_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine folders that link to each other have some million ways through."""
    monkeypatch.setattr(folders, "ENTERED_AT_MOST", 20)
    for number in range(9):
        tree(tmp_path, f"{number}/{number}.jpg")
        for other in range(9):
            (tmp_path / str(number) / f"to{other}").symlink_to(tmp_path / str(other))
    walk = Walk(tmp_path, ENDINGS)
    assert 9 * 9 <= len(list(walk.files())) <= 9 * 21
    assert "entered by 20 others" in str(walk.passed)


def test_what_is_no_regular_file_is_counted_and_named(tmp_path: Path) -> None:
    tree(tmp_path, "1.jpg", "Thumbs.db", "__MACOSX/1.jpg", ".DS_Store", "a/._1.jpg", "b.HEIC", "c.tar")
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "unmounted").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        stood_in = os.getcwd()
        os.chdir(tmp_path)  # the name of a socket may be a hundred bytes long
        try:
            server.bind("socket.jpg")
        finally:
            os.chdir(stood_in)
    walk = Walk(tmp_path, ENDINGS, {".heic": "a kind that is not read", **folders.PACKED})
    assert list(walk.files()) == ["1.jpg"]
    assert walk.passed.counts == {
        folders.BROKEN: 3,
        folders.HIDDEN: 4,
        folders.ARCHIVE: 1,
        "a device": 1,
        "a pipe": 1,
        "a socket": 1,
        "a kind that is not read": 1,
    }
    assert "1: a pipe: pipe.jpg" in walk.passed.lines()


def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path) -> None:
    tree(tmp_path, "1.jpg")
    with pytest.raises(UnusableFileError, match=r"nowhere: cannot be listed"):
        list(Walk(tmp_path / "nowhere", ENDINGS).files())


def test_where_links_lead_may_be_left_unasked(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("/dev/zero")
    assert list(Walk(tmp_path, ENDINGS, follow_files=False).files()) == ["a.jpg"]
    with pytest.raises(UnusableFileError, match=r"a\.jpg: is a device; expected a file"):
        opened(tmp_path / "a.jpg")
