"""Pictures in folders: sorted, classed by folder, and what is missing told by name."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytest.importorskip("PIL")

from images import write_tree

from data2vec_plugin.data.image import tree as image_tree
from data2vec_plugin.data.image.source import ImageSourceError
from data2vec_plugin.data.image.tree import ImageTree

COUNTS = {"dog": 2, "cat": 3, "été": 1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "train", COUNTS)


def names(tree: ImageTree) -> list[str]:
    return [str(Path(tree.name(index)).relative_to(tree.root)) for index in range(len(tree))]


def test_classes_are_numbered_in_the_order_of_their_sorted_names(root: Path) -> None:
    tree = ImageTree(root, labelled=True)
    assert tree.classes == ["cat", "dog", "été"]
    assert tree.labels is not None
    assert tree.labels.tolist() == [0, 0, 0, 1, 1, 2]
    assert names(tree)[2:4] == ["cat/002.JPEG", "dog/000.JPEG"]
    assert tree.read(3) == (root / "dog" / "000.JPEG").read_bytes()
    assert tree.extent() == (3, "folders")


def test_any_tree_will_do_without_labels(root: Path) -> None:
    (root / "dog" / "small" / "very").mkdir(parents=True)
    (root / "dog" / "000.JPEG").rename(root / "dog" / "small" / "very" / "a.PnG")
    (root / "dog" / "001.JPEG").rename(root / "top.webp")
    for ignored in (".hidden.jpg", "notes.txt", "dog/._000.jpg"):
        (root / ignored).touch()
    tree = ImageTree(root, labelled=False)
    assert tree.labels is None
    assert names(tree) == ["top.webp", *(f"cat/00{n}.JPEG" for n in range(3)), "dog/small/very/a.PnG", "été/000.JPEG"]


def test_links_are_followed_but_not_in_circles(root: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "subset").mkdir()
    (tmp_path / "subset" / "cat").symlink_to(root / "cat")
    (root / "cat" / "again").symlink_to(root)
    assert len(ImageTree(tmp_path / "subset", labelled=True)) == 3
    assert "links back to" in caplog.text


def test_the_digest_is_of_names_and_labels_not_of_the_place(root: Path, tmp_path: Path) -> None:
    before = ImageTree(root, labelled=True).digest
    assert ImageTree(root, labelled=False).digest != before
    moved = root.rename(tmp_path / "moved")
    assert ImageTree(moved, labelled=True).digest == before
    (moved / "dog" / "000.JPEG").rename(moved / "dog" / "new.JPEG")
    assert ImageTree(moved, labelled=True).digest != before


def test_a_class_without_pictures_is_told(root: Path) -> None:
    (root / "eel").mkdir()
    with pytest.raises(ImageSourceError, match=r"train/eel holds no image \(\.jpg, .*remove the folder"):
        ImageTree(root, labelled=True)
    assert len(ImageTree(root, labelled=False)) == 6


@pytest.mark.parametrize(("labelled", "fault"), [(True, "no class folder; expected one"), (False, "holds no image")])
def test_an_empty_folder_is_told(tmp_path: Path, labelled: bool, fault: str) -> None:
    with pytest.raises(ImageSourceError, match=fault):
        ImageTree(tmp_path, labelled)


def test_what_may_have_been_meant_is_told(tmp_path: Path) -> None:
    for name in ("00000.tar", "cat.HEIC"):
        (tmp_path / name).touch()
    with pytest.raises(ImageSourceError, match="holds no image") as caught:
        ImageTree(tmp_path, labelled=False)
    told = str(caught.value)
    assert "1: an unsupported image format (convert it to JPEG or PNG): cat.HEIC" in told
    assert (
        "Archives are only read from `task.data`, and must be named SPLIT-NUMBER.tar, such as train-000000.tar" in told
    )


def test_a_long_list_shows_progress_over_all_folders(
    root: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_tree, "PROGRESS", 4)
    caplog.set_level(logging.INFO)
    ImageTree(root, labelled=True)
    assert "4 pictures so far" in caplog.text
    assert "6 pictures in 3 folders" in caplog.text
