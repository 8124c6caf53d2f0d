"""Memes of lists and of folders, their captions, and pictures that cannot be used."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from images import photograph, write_tree
from meme_files import write_memes

from data2vec_plugin.data.multimodal.meme_features import IDS, MemeFeatureDataset, features_of, kept_features
from data2vec_plugin.data.multimodal.meme_pictures import MIDDLE, SQUASH, MemePicture
from data2vec_plugin.data.multimodal.memes import NONE, SIDECAR, MemeDataset, MemeFileError, Memes
from data2vec_plugin.files.unusable import UnusableFileError

needs_torchvision = pytest.mark.skipif(find_spec("torchvision") is None, reason="images require torchvision")


def test_lists_and_class_folders(tmp_path: Path) -> None:
    data = write_memes(tmp_path / "lists")
    memes = Memes.of(data, "valid")
    assert memes.labels.tolist() == [0, 1, 0, 1, 0, 1]
    write_tree(tmp_path / "folders" / "train", {"hate": 2, "other": 3})
    labelled = Memes.of(tmp_path / "folders", "train", "hate")
    assert labelled.labels.tolist() == [1, 1, 0, 0, 0]
    assert Memes.of(tmp_path / "folders", "train", "other").labels.tolist() == [0, 0, 1, 1, 1]
    for positive in ("", "love"):
        with pytest.raises(UnusableFileError, match=r"hate, other; expected two, and in `task\.positive`"):
            Memes.of(tmp_path / "folders", "train", positive)
    (tmp_path / "folders" / "train.tsv").write_text("train\nhate/000.JPEG\t1\n")  # a list says what there is
    assert len(Memes.of(tmp_path / "folders", "train").items) == 1
    with pytest.raises(UnusableFileError, match=r"test\.tsv: no such file"):
        Memes.of(tmp_path / "folders", "test")


def test_empty_captions_are_legal_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    memes = Memes.of(write_memes(tmp_path / "lists"), "valid")
    with caplog.at_level(logging.INFO):
        found = memes.with_texts(SIDECAR)
    assert found.captions == ["", "", "w2 w3", "w3 w4 w5", "w4 w5 w6 w7", ""]
    assert "1 of 6 images have no text file (0.png)" in caplog.text
    assert "6 memes, 3 with an empty caption" in caplog.text
    assert memes.with_texts(NONE).captions == [""] * 6
    assert memes.with_texts("tesseract", lambda pictures: [path.name for path in pictures]).captions[2] == "2.png"
    assert found.digest != memes.digest  # features are of captions, too


def dataset(folder: Path, limit: int = 0, **options: Any) -> MemeDataset:
    memes = Memes.of(folder, "valid").with_texts(SIDECAR)
    return MemeDataset(memes, MemePicture(16), bad_limit=limit, **options)


@needs_torchvision
def test_a_batch_has_pictures_captions_and_labels(tmp_path: Path) -> None:
    made = dataset(write_memes(tmp_path / "lists"))
    batch = made.collater([made[2], made[3]])
    assert batch["net_input"]["captions"] == ["w2 w3", "w3 w4 w5"]
    assert batch["net_input"]["img"].shape == (2, 3, 16, 16)
    assert 0 <= batch["net_input"]["img"].min() < batch["net_input"]["img"].max() <= 1
    assert (batch["target"].tolist(), batch["id"].tolist()) == ([0, 1], [2, 3])


@needs_torchvision
def test_unreadable_pictures_are_left_out_counted_and_named(tmp_path: Path) -> None:
    folder = write_memes(tmp_path / "lists")
    (folder / "valid" / "3.png").write_bytes(b"no picture")
    made = dataset(folder, limit=1)
    batch = made.collater([made[index] for index in range(6)])
    assert batch["id"].tolist() == [0, 1, 2, 4, 5]
    assert made.bad_files.indices == [3]
    assert made.collater([made[3]]) == {}
    (folder / "valid" / "4.png").unlink()
    with pytest.raises(MemeFileError, match=r"4\.png: .*exceeds allowed|4\.png: no such file.*exceeds"):
        _ = made[4]
    with pytest.raises(MemeFileError, match=r"3\.png: cannot be read.*task\.bad_image_limit"):
        _ = dataset(folder)[3]


def test_every_meme_is_in_an_epoch_once_and_the_last_batch_counts(tmp_path: Path) -> None:
    made = dataset(write_memes(tmp_path / "lists"), shuffled=True)
    orders = []
    for epoch in (1, 2, 1):
        made.set_epoch(epoch)
        orders.append(made.ordered_indices().tolist())
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == list(range(6))
    batches = made.batch_by_size(np.arange(5), max_sentences=2, required_batch_size_multiple=8)
    assert [len(batch) for batch in batches] == [2, 2, 1]


@needs_torchvision
def test_pictures_become_squares() -> None:
    wide = photograph(0, width=80, height=40)
    middle, squashed = MemePicture(16, MIDDLE)(wide), MemePicture(16, SQUASH)(wide)
    assert middle.shape == squashed.shape == (3, 16, 16)
    whole = torch.from_numpy(np.asarray(wide).mean((0, 1)) / 255).float()
    assert torch.allclose(squashed.mean((1, 2)), whole, atol=0.02)
    assert not torch.allclose(middle, squashed, atol=0.02)


def encode(net_input: Any) -> Any:
    lengths = torch.tensor([[float(len(caption))] for caption in net_input["captions"]])
    return {"image": net_input["img"].mean((2, 3)), "text": lengths}


@needs_torchvision
def test_features_are_made_once_and_stand_for_the_pictures(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_memes(tmp_path / "lists")
    (folder / "valid" / "3.png").write_bytes(b"no picture")
    made = dataset(folder, limit=1)
    arrays = kept_features(tmp_path / "kept", "valid", lambda: features_of(made, encode, batch=2), ["image", "text"])
    assert arrays[IDS].tolist() == [0, 1, 2, 4, 5]
    again = kept_features(tmp_path / "kept", "valid", lambda: pytest.fail("computed again"), ["image", "text"])
    assert all(np.array_equal(again[name], value) for name, value in arrays.items())
    short = MemeFeatureDataset(dataset(folder, limit=1), again)
    batch = short.collater([short[index] for index in (4, 3, 2)])
    expected = encode(made.collater([made[4], made[2]])["net_input"])
    assert batch["id"].tolist() == [4, 2]
    assert batch["target"].tolist() == [0, 0]
    assert all(torch.allclose(batch["net_input"]["features"][name], value) for name, value in expected.items())
    with pytest.raises(MemeFileError, match=r"3\.png: was unusable"):
        MemeFeatureDataset(dataset(folder), again)
    (tmp_path / "kept" / "valid.npz").write_bytes(b"PK damaged")
    kept_features(tmp_path / "kept", "valid", lambda: arrays, ["image", "text"])
    assert "is damaged" in caplog.text


def test_a_split_without_a_usable_picture_is_told(tmp_path: Path) -> None:
    folder = write_memes(tmp_path / "lists", {"valid": 1})
    (folder / "valid" / "0.png").write_bytes(b"")
    with pytest.raises(UnusableFileError, match="no usable image"):
        features_of(dataset(folder, limit=1), encode)
