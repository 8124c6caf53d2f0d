"""Which folder or archives a split is."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("PIL")

from images import samples, write_shard, write_tree

from data2vec_plugin.data.image.shards import ImageShards
from data2vec_plugin.data.image.source import ImageSourceError
from data2vec_plugin.data.image.split import open_split, split_shards


def test_a_folder_or_archives(tmp_path: Path) -> None:
    write_tree(tmp_path / "train", {"cat": 2})
    write_shard(tmp_path / "val-000.tar", samples(3))
    assert len(open_split(tmp_path, "train", labelled=True)) == 2
    assert isinstance(open_split(tmp_path, "val", labelled=True), ImageShards)
    assert [path.suffix for path in (tmp_path / "index").iterdir()] == [".npz"]


def test_archives_follow_each_other_by_number(tmp_path: Path) -> None:
    for name in ("train-10.tar", "train-9.tar", "train-x.tar", "train_small-1.tar", "train-9.tar.gz"):
        (tmp_path / name).touch()
    assert [path.name for path in split_shards(tmp_path, "train")] == ["train-9.tar", "train-10.tar"]


def test_the_index_may_lie_elsewhere(tmp_path: Path) -> None:
    write_shard(tmp_path / "data" / "train-0.tar", samples(3))
    open_split(tmp_path / "data", "train", labelled=False, index_dir=str(tmp_path / "kept"))
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert not (tmp_path / "data" / "index").exists()


def test_without_labels_a_folder_may_be_the_split_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tree(tmp_path, {"cat": 2})
    assert len(open_split(tmp_path, "train", labelled=False)) == 2
    assert "split train consists of all images below" in caplog.text


def test_with_labels_it_may_not(tmp_path: Path) -> None:
    write_tree(tmp_path / "val", {"cat": 2})
    write_shard(tmp_path / "train-0.tar", samples(3))
    with pytest.raises(ImageSourceError, match=r"neither a folder valid nor .* it has train, val\..*valid_subset"):
        open_split(tmp_path, "valid", labelled=True)


def test_both_are_one_too_many(tmp_path: Path) -> None:
    write_tree(tmp_path / "train", {"cat": 1})
    write_shard(tmp_path / "train-0.tar", samples(1))
    with pytest.raises(ImageSourceError, match="split train exists twice"):
        open_split(tmp_path, "train", labelled=False)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageSourceError, match=r"`task\.data` is .*nowhere; expected a folder"):
        open_split(tmp_path / "nowhere", "train", labelled=False)
