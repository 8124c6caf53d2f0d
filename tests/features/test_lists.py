"""Lists of items: names that mirror paths, each item once, and what is no list."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from speech import write_clip

from data2vec_plugin.features.lists import mirrored, read_items


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/b.wav", "a/b"),
        ("./a//b.FLAC", "a/b"),
        ("/data/a.b.wav", "data/a.b"),
        ("a/b.v2", "a/b.v2"),
        ("all.zip:30:500", "all.zip:30:500"),
        ("a/../b.wav", "b"),
    ],
)
def test_names_mirror_paths(path: str, name: str) -> None:
    assert mirrored(path, (".wav", ".flac")) == name


def test_paths_above_are_mirrored_from_the_root_of_the_file_system(tmp_path: Path) -> None:
    assert mirrored("../a.wav", (".wav",)) == os.path.abspath("../a").lstrip("/")


def test_folder_takes_its_own_kind_only_and_in_order(tmp_path: Path) -> None:
    for name in ("b/2.wav", "b/1.flac", "a.WAV", "notes.txt", "picture.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert [item.name for item in read_items(tmp_path, "speech")] == ["a", "b/1", "b/2"]
    assert [item.name for item in read_items(tmp_path, "image")] == ["picture"]
    assert [item.name for item in read_items(tmp_path / "b" / "2.wav", "speech")] == ["2"]


def test_folder_is_read_as_for_training(tmp_path: Path) -> None:
    """Hidden files never; linked folders as the image tasks and `data2vec manifest` have it."""
    for name in ("root/own.wav", "root/own.png", "other/1.wav", "other/2.png", "root/._own.wav", "root/._own.PNG"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "other")
    assert [item.name for item in read_items(tmp_path / "root", "image")] == ["own", "link/2"]
    assert [item.name for item in read_items(tmp_path / "root", "speech")] == ["own", "link/1"]


def test_an_item_counts_once_and_two_of_a_name_are_refused(tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("a.wav\nb.wav\n\na.wav\n")
    assert [item.name for item in read_items(listed, "speech")] == ["a", "b"]
    listed.write_text("a.wav\na.flac\n")
    with pytest.raises(ValueError, match=r"a\.wav and a\.flac would both be stored as 'a'; rename one of them"):
        read_items(listed, "speech")
    listed.write_text("a\tb.wav\n")
    with pytest.raises(ValueError, match=r"list\.txt:1: a\tb\.wav: has a tab or a line break in its name"):
        read_items(listed, "speech")


def test_what_holds_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"has no file with extension \.aif, .*; there is nothing to extract features from"
    ):
        read_items(tmp_path, "speech")
    (tmp_path / "list.txt").write_text("\n\n")
    with pytest.raises(ValueError, match=r"list\.txt has no line"):
        read_items(tmp_path / "list.txt", "speech")
    (tmp_path / "bad.tsv").write_text("/root\na.wav 300\n")
    with pytest.raises(ValueError, match=r"bad\.tsv, line 2: got 'a\.wav 300'; expected"):
        read_items(tmp_path / "bad.tsv", "speech")
    with pytest.raises(ValueError, match="a folder or a manifest has its own root"):
        read_items(write_clip(tmp_path / "a.wav", 9).parent, "speech", root=tmp_path)
