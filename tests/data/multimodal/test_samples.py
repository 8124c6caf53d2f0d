"""Files of samples: what is legal, what is refused and in which words, batches of bounded graphs."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pytest
import torch

from data2vec_plugin.data.multimodal.samples import MultimodalDataset, MultimodalFileError, Split, Target
from data2vec_plugin.files.multimodal.sequences import MODALITIES, read_stats, write_samples
from data2vec_plugin.files.unusable import UnusableFileError
from data2vec_plugin.multimodal.relations import edge_count

DIMS = (4, 6, 3)
Lengths = Sequence[Tuple[int, int, int]]
SENTIMENT = Target()
USUAL: Lengths = ((3, 2, 4), (0, 2, 1), (2, 1, 0), (5, 5, 5))


def write(folder: Path, lengths: Lengths = USUAL, labels: str = "1\n-2\n0.5\n3\n", name: str = "train") -> Path:
    """A split whose samples have so many frames."""
    rng = np.random.default_rng(0)
    rows: List[Any] = []
    for number, counts in enumerate(lengths):
        arrays = {
            modality: rng.normal(size=(count, channels)).astype(np.float32)
            for modality, count, channels in zip(MODALITIES, counts, DIMS)
            if count
        }
        np.savez(folder / f"{number}.npz", **arrays)
        rows.append((f"clip{number}", f"{number}.npz", counts))
    write_samples(folder / f"{name}.tsv", ".", rows)
    (folder / f"{name}.label").write_text(labels)
    return folder


def opened(folder: Path, target: Target = SENTIMENT, modalities: Sequence[str] = MODALITIES, **options: Any) -> Any:
    return MultimodalDataset(Split.of(folder, "train", target, modalities), target, modalities, **options)


def test_a_missing_modality_has_no_frames(tmp_path: Path) -> None:
    data = opened(write(tmp_path))
    batch = data.collater([data[index] for index in range(4)])
    assert batch["net_input"]["modalities"]["vision"].shape == (4, 5, 4)
    assert batch["net_input"]["frames"]["vision"].sum(1).tolist() == [3, 0, 2, 5]
    assert batch["target"].tolist() == [1, -2, 0.5, 3]


def test_a_row_of_zeros_is_no_frame_and_keeps_its_place(tmp_path: Path) -> None:
    write(tmp_path)
    rows = np.ones((3, 4), np.float32)
    rows[1] = 0
    np.savez(tmp_path / "0.npz", vision=rows, text=np.ones((2, 6)), audio=np.ones((4, 3)))
    assert opened(tmp_path)[0]["frames"]["vision"].tolist() == [True, False, True]


def test_samples_without_a_frame_go_with_their_labels(tmp_path: Path, caplog: Any) -> None:
    write(tmp_path, ((3, 2, 4), (0, 0, 0), (2, 0, 0)), "1\n2\n3\n")
    with caplog.at_level(logging.WARNING):
        split = Split.of(tmp_path, "train", Target(), MODALITIES)
    assert (split.labels, split.dropped) == ([1.0, 3.0], 1)
    assert "dropped 1 of 3 samples, because they have no frames, and labels" in caplog.text
    assert Split.of(tmp_path, "train", Target(), ["text"]).labels == [1.0]


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_what_is_no_number_is_named_by_its_place(tmp_path: Path, value: float) -> None:
    write(tmp_path)
    text = np.ones((2, 6), np.float32)
    text[1, 3] = value
    np.savez(tmp_path / "1.npz", text=text, audio=np.ones((1, 3)))
    with pytest.raises(MultimodalFileError, match=rf"1\.npz: `text` is {value} at index \[1, 3\]"):
        opened(tmp_path)[1]
    data = opened(tmp_path, bad_limit=1)
    assert data[1]["features"] is None
    assert data.collater([data[1]]) == {}
    assert data.bad_files.indices == [1]


def test_lengths_must_be_the_manifests(tmp_path: Path) -> None:
    write(tmp_path)
    np.savez(tmp_path / "0.npz", vision=np.ones((2, 4)), text=np.ones((2, 6)), audio=np.ones((4, 3)))
    with pytest.raises(
        MultimodalFileError, match=r"`vision` has shape \(2, 4\); expected \(3, channels\), according to line 2"
    ):
        opened(tmp_path)[0]


def test_channels_must_be_alike(tmp_path: Path) -> None:
    write(tmp_path)
    np.savez(tmp_path / "1.npz", text=np.ones((2, 7)), audio=np.ones((1, 3)))
    data = opened(tmp_path)
    data[0]
    with pytest.raises(MultimodalFileError, match="`text` has 7 channels; expected 6"):
        data[1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("1\n-2\n0.5\n3.5\n", r"train\.label, line 4: label 3.5 is out of range; expected -3 to 3"),
        ("1\nnan\n0.5\n3\n", r"line 2: label nan is out of range"),
        ("1\ngood\n0.5\n3\n", r"line 2: got 'good'; expected a number"),
        ("1\n2\n3\n", r"has 3 lines, but the manifest .* has 4 samples"),
    ],
)
def test_labels_that_are_none(tmp_path: Path, labels: str, message: str) -> None:
    write(tmp_path, labels=labels)
    with pytest.raises(UnusableFileError, match=message):
        Split.of(tmp_path, "train", Target(), MODALITIES)


def test_classes_are_whole_numbers_below_their_count(tmp_path: Path) -> None:
    target = Target(("happy", "sad"))
    write(tmp_path, labels="0 1\n1 1\n0 0\n1 0\n")
    batch = opened(tmp_path, target)
    assert batch.collater([batch[0], batch[1]])["target"].tolist() == [[0, 1], [1, 1]]
    assert target.outputs == 4
    for bad in ("0 2", "1", "0 -1"):
        write(tmp_path, labels=f"0 1\n{bad}\n0 0\n1 0\n")
        with pytest.raises(UnusableFileError, match=rf"line 2: label '{bad}' is out of range; expected 2 of them"):
            Split.of(tmp_path, "train", target, MODALITIES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".\nclip\t0.npz\t1\t2\n", r"line 2: got 'clip\\t0.npz\\t1\\t2'; expected id<TAB>file"),
        (".\n", "lists no sample"),
        ("", "lists no sample"),
        (".\nclip\t0.npz\t1\t2\t-3\n", "line 2"),
    ],
)
def test_manifests_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.tsv").write_text(text)
    with pytest.raises(UnusableFileError, match=message):
        Split.of(tmp_path, "train", Target(), MODALITIES)
    with pytest.raises(UnusableFileError, match=r"valid\.tsv: no such file; create one with"):
        Split.of(tmp_path, "valid", Target(), MODALITIES)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 torn"])
def test_a_file_that_is_no_archive_is_left_out(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / "2.npz").write_bytes(content)
    with pytest.raises(MultimodalFileError, match=r"2\.npz: cannot be read"):
        opened(tmp_path)[2]


def test_an_archive_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    write(tmp_path)
    np.savez(tmp_path / "2.npz", vision=np.array([{1: 2}], dtype=object))
    with pytest.raises(MultimodalFileError, match=r"2\.npz: cannot be read"):
        opened(tmp_path)[2]


def test_tensors_are_read_as_arrays_are(tmp_path: Path) -> None:
    write(tmp_path, ((3, 0, 0),), "1\n")
    features = {"vision": torch.randn(3, 4)}
    torch.save(features, tmp_path / "0.pt")
    write_samples(tmp_path / "train.tsv", ".", [("clip", "0.pt", (3, 0, 0))])
    assert np.array_equal(opened(tmp_path)[0]["features"]["vision"], features["vision"].numpy())
    (tmp_path / "0.pt").write_bytes(b"no tensors")
    with pytest.raises(MultimodalFileError, match=r"0\.pt: cannot be read"):
        opened(tmp_path)[0]


def test_batches_are_bounded_by_edges_and_leave_nobody_out(tmp_path: Path) -> None:
    data = opened(write(tmp_path), max_edges=60)
    assert data.edges.tolist() == [edge_count(counts) for counts in USUAL]
    batches = data.batch_by_size(data.ordered_indices(), max_sentences=2)
    assert [list(batch) for batch in batches] == [[0], [1, 2], [3]]
    assert [list(batch) for batch in opened(tmp_path).batch_by_size(np.arange(4), max_sentences=3)] == [[0, 1, 2], [3]]


def test_training_samples_come_in_another_order_in_every_epoch(tmp_path: Path) -> None:
    lengths: Dict[str, Any] = {"lengths": [(1, 1, 1)] * 30, "labels": "0\n" * 30}
    data = opened(write(tmp_path, **lengths), shuffled=True)
    orders = []
    for epoch in (1, 2, 1):
        data.set_epoch(epoch)
        orders.append(data.ordered_indices().tolist())
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[1]) == list(range(30))


def test_normalised_features_leave_gaps_alone(tmp_path: Path) -> None:
    write(tmp_path, ((3, 0, 0),), "1\n")
    rows = np.full((3, 4), 5, np.float32)
    rows[1] = 0
    np.savez(tmp_path / "0.npz", vision=rows)
    np.savez(tmp_path / "stats.npz", vision_mean=np.full(4, 3.0), vision_std=np.full(4, 2.0))
    data = opened(tmp_path, modalities=["vision"], stats=read_stats(tmp_path, ["vision"]))
    assert data[0]["features"]["vision"].tolist() == [[1.0] * 4, [0.0] * 4, [1.0] * 4]
    with pytest.raises(UnusableFileError, match=r"stats\.npz: cannot be used .*`task.normalize` requires"):
        read_stats(tmp_path, MODALITIES)
