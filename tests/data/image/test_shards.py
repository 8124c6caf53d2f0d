"""Archives in WebDataset's layout: read in any order, indexed once, and faults told by archive and sample."""

from __future__ import annotations

import gzip
import logging
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PIL")

from images import samples, write_shard

from data2vec_plugin.data.image.shards import ImageShards
from data2vec_plugin.files.media import kept_index, tar_index
from data2vec_plugin.files.unusable import UnusableFileError


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Two archives of five and three pictures, the second with a folder before its keys."""
    first = write_shard(tmp_path / "train-000000.tar", samples(5))
    return [first, write_shard(tmp_path / "train-000001.tar", samples(3, first=5), prefix="n01/")]


def shards(paths: list[Path], labelled: bool = True) -> ImageShards:
    return ImageShards(paths, labelled, paths[0].parent / "index")


def test_pictures_are_read_in_any_order(paths: list[Path]) -> None:
    opened = shards(paths)
    assert len(opened) == 8
    expected = [sample["jpg"] for sample in samples(8)]
    for index in (7, 0, 5, 4):
        assert opened.read(index) == expected[index]
    assert opened.name(4) == f"{paths[0]}/0004.jpg"
    assert opened.extent() == (2, "archives")


def test_numbers_are_labels(paths: list[Path]) -> None:
    opened = shards(paths)
    assert opened.classes is None
    assert opened.labels is not None
    assert opened.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_names_are_numbered_in_their_sorted_order(tmp_path: Path) -> None:
    rows = [{**sample, "cls": name} for sample, name in zip(samples(3), (b"dog\n", b"cat", b"dog"))]
    opened = shards([write_shard(tmp_path / "train-0.tar", rows)])
    assert opened.classes == ["cat", "dog"]
    assert opened.labels is not None
    assert opened.labels.tolist() == [1, 0, 1]


def test_a_key_ends_at_the_first_dot() -> None:
    assert tar_index.sample_key("a.b/0.seg.PNG") == ("a.b/0", ".seg.png")


def test_the_index_is_made_once_and_anew_for_another_archive(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = shards(paths).digest
    read = kept_index.read_index
    made = []
    monkeypatch.setattr(kept_index, "read_index", lambda path: made.append(path.name) or read(path))
    assert shards(paths).digest == digest
    assert made == []
    write_shard(paths[1], samples(4))
    assert len(shards(paths)) == 9
    assert made == ["train-000001.tar"]


def test_a_broken_index_is_made_anew(paths: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    digest = shards(paths).digest
    for kept in (paths[0].parent / "index").iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    assert shards(paths).digest == digest
    assert "is created again" in caplog.text


def test_an_index_that_cannot_be_kept_is_told(paths: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    (paths[0].parent / "index").write_text("a file where the folder should be")
    assert len(shards(paths)) == 8
    assert "`+task.index_dir=FOLDER`" in caplog.text


def no_class(folder: Path) -> Path:
    return write_shard(folder / "train-0.tar", [*samples(2), *samples(1, label=None)])


def empty_class(folder: Path) -> Path:
    return write_shard(folder / "train-0.tar", [{**samples(1)[0], "cls": b" \n"}])


def two_pictures(folder: Path) -> Path:
    return write_shard(folder / "train-0.tar", [{**samples(1)[0], "png": b"x"}])


def no_picture(folder: Path) -> Path:
    return write_shard(folder / "train-0.tar", [{"txt": b"a", "cls": b"1"}])


def compressed(folder: Path) -> Path:
    path = write_shard(folder / "train-0.tar", samples(2))
    path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def cut_short(folder: Path) -> Path:
    path = write_shard(folder / "train-0.tar", samples(4))
    os.truncate(path, path.stat().st_size // 2)
    return path


def cut_in_a_header(folder: Path) -> Path:
    """Between two samples, where tarfile takes it for the end."""
    path = write_shard(folder / "train-0.tar", samples(4))
    with tarfile.open(path) as tar:
        offset = tar.getmembers()[3].offset
    os.truncate(path, offset + 100)
    return path


def two_in_one(folder: Path) -> Path:
    path = write_shard(folder / "train-0.tar", samples(4))
    path.write_bytes(path.read_bytes() * 2)
    return path


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (no_class, r"0002\.jpg has no class; expected 0002\.cls"),
        (empty_class, r"0000\.jpg has no class"),
        (two_pictures, r"sample 0000 has two images, 0000\.jpg and 0000\.png"),
        (no_picture, "holds no image"),
        (compressed, "not a complete tar archive"),
        (cut_in_a_header, "not a complete tar archive: its end is missing"),
        (two_in_one, "not a complete tar archive: its end is missing"),
        (cut_short, "not a complete tar archive"),
    ],
)
def test_what_is_wrong_with_an_archive_is_told(tmp_path: Path, make: Any, fault: str) -> None:
    with pytest.raises(UnusableFileError, match=rf"train-0\.tar:? .*{fault}"):
        shards([make(tmp_path)])


def test_classes_are_not_needed_without_labels(tmp_path: Path) -> None:
    assert len(shards([no_class(tmp_path)], labelled=False)) == 3


def test_an_archive_that_has_shrunk_since_says_so(paths: list[Path]) -> None:
    opened = shards(paths)
    os.truncate(paths[1], 700)
    with pytest.raises(UnusableFileError, match=r"ends after 0 of [\d,]+ bytes"):
        opened.read(7)


def test_many_archives_show_progress(
    paths: list[Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("data2vec_plugin.data.image.shards.PROGRESS", 6)
    caplog.set_level(logging.INFO)
    shards(paths)
    assert "8 pictures so far" in caplog.text
