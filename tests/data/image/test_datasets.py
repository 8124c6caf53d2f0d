"""Data sets of pictures: the same samples whatever the workers, batches that fairseq can count on."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision")

from images import encoded, photograph, samples, write_shard, write_tree
from torch.utils.data import DataLoader

from data2vec_plugin.core.masks.block_masking import BlockMaskConfig, BlockMasker
from data2vec_plugin.core.masks.masking import BatchMasker
from data2vec_plugin.data.image.datasets import (
    ImageDataset,
    ImageFileError,
    LabelledImageDataset,
    MaskedImageDataset,
    Order,
)
from data2vec_plugin.data.image.shards import ImageShards
from data2vec_plugin.data.image.transforms import Normalization, evaluation_transform, pretraining_transform
from data2vec_plugin.data.image.tree import ImageTree
from data2vec_plugin.data.sample_seeds import SampleSeeds

MASKS = BatchMasker(BlockMasker(BlockMaskConfig(patches=6, min_patches=2), 4, 4))
TRANSFORM = pretraining_transform(32, Normalization(), (0.08, 1.0), 0.4)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("pictures") / "train", {"cat": 4, "dog": 3})


def masked(root: Path, seed: int = 1, **options: Any) -> MaskedImageDataset:
    return MaskedImageDataset(MASKS, 16, SampleSeeds(seed), ImageTree(root, labelled=False), TRANSFORM, **options)


def batch(data: ImageDataset, ids: List[int]) -> Dict[str, Any]:
    inputs: Dict[str, Any] = data.collater([data[index] for index in ids])["net_input"]
    return inputs


def test_pictures_and_masks_follow_seed_epoch_and_id_only(root: Path) -> None:
    whole, other = batch(masked(root), [0, 1, 2]), batch(masked(root), [2, 0])
    for left, right in ((whole["img"], other["img"]), (whole["mask"]["indices"], other["mask"]["indices"])):
        assert torch.equal(left[0], right[1])
        assert torch.equal(left[2], right[0])


def test_another_epoch_or_seed_gives_other_ones(root: Path) -> None:
    data = masked(root)
    first, seeded = batch(data, [0, 1]), batch(masked(root, seed=2), [0, 1])
    data.set_epoch(2)
    for other in (batch(data, [0, 1]), seeded):
        assert not torch.equal(first["img"], other["img"])
        assert not torch.equal(first["mask"]["indices"], other["mask"]["indices"])


def test_masks_come_with_their_positions(root: Path) -> None:
    inputs = batch(masked(root), [3, 5, 6])
    assert inputs["img"].shape == (3, 3, 32, 32)
    indices = inputs["mask"]["indices"]
    assert indices.shape == (3, 16)
    assert indices.dtype == torch.bool
    assert torch.equal(indices.flatten().nonzero().squeeze(1), inputs["mask"]["positions"])


def test_workers_make_the_same_samples_and_notice_the_epoch(root: Path) -> None:
    data = masked(root)
    batches = [[0, 4], [6, 2]]
    loader = DataLoader(data, batch_sampler=batches, num_workers=2, collate_fn=data.collater, persistent_workers=True)
    for epoch in (1, 2):
        data.set_epoch(epoch)
        for found, ids in zip(loader, batches):
            expected = batch(data, ids)
            assert torch.equal(found["net_input"]["img"], expected["img"])
            assert torch.equal(found["net_input"]["mask"]["indices"], expected["mask"]["indices"])


def test_a_worker_that_is_not_forked_gets_all_it_needs(root: Path) -> None:
    data = masked(root)
    copy = pickle.loads(pickle.dumps(data))
    assert torch.equal(copy[2]["img"], data[2]["img"])


def test_labels_are_those_of_folder_or_archive(root: Path, tmp_path: Path) -> None:
    transform = evaluation_transform(32, Normalization())
    data = LabelledImageDataset(ImageTree(root, labelled=True), transform, seed=1)
    assert batch(data, [0, 6, 3])["label"].tolist() == [0, 1, 0]
    path = write_shard(tmp_path / "train-0.tar", samples(5))
    data = LabelledImageDataset(ImageShards([path], True, tmp_path), transform, seed=1)
    inputs = batch(data, [0, 4, 2])
    assert set(inputs) == {"img", "label"}
    assert inputs["label"].tolist() == [0, 1, 2]
    assert inputs["label"].dtype == torch.int64


def test_a_source_without_labels_is_refused(root: Path) -> None:
    with pytest.raises(ValueError, match="opened without labels"):
        LabelledImageDataset(ImageTree(root, labelled=False), TRANSFORM, seed=1)


def ids(data: ImageDataset, epoch: int) -> List[int]:
    """Of a whole epoch, place by place."""
    data.set_epoch(epoch)
    return [data[place]["id"] for place in data.ordered_indices()]


def test_a_training_set_is_shuffled_anew_in_every_epoch(root: Path) -> None:
    data, again = (masked(root, order=Order(shuffled=True)) for _ in range(2))
    orders = [ids(data, epoch) for epoch in range(1, 6)]
    assert all(sorted(order) == list(range(7)) for order in orders)
    assert len(set(map(tuple, orders))) > 3
    assert ids(again, 3) == orders[2]
    assert ids(masked(root), 3) == list(range(7))


def test_batches_hold_places_so_that_fairseq_keeps_its_loader(root: Path) -> None:
    data = masked(root, order=Order(shuffled=True))
    before = data.ordered_indices().tolist()
    data.set_epoch(2)
    assert data.ordered_indices().tolist() == before
    assert data.can_reuse_epoch_itr_across_epochs


def test_a_sample_is_the_same_at_any_place(root: Path) -> None:
    shuffled, ordered = masked(root, order=Order(shuffled=True)), masked(root)
    place = ids(shuffled, 1).index(4)
    assert torch.equal(shuffled[place]["img"], ordered[4]["img"])


def test_repeated_augmentation_puts_views_of_a_picture_side_by_side(root: Path) -> None:
    source = ImageTree(root, labelled=True)
    data = LabelledImageDataset(source, TRANSFORM, seed=1, order=Order(shuffled=True, views=3))
    seen = set()
    for epoch in range(1, 8):
        order = np.array(ids(data, epoch))
        assert len(order) == len(set(order.tolist())) == 7
        pictures = order % 7
        assert pictures[:6].reshape(2, 3).std(1).tolist() == [0, 0]
        assert len(set(pictures.tolist())) == 3
        seen |= set(pictures.tolist())
    assert seen == set(range(7))
    views = batch(data, [0, 1, 2])
    assert len(set(views["label"].tolist())) == 1
    assert not torch.equal(views["img"][0], views["img"][1])


def test_no_view_is_too_few() -> None:
    with pytest.raises(ValueError, match=r"`task\.repeated_augmentation` is 0; expected 1"):
        Order(views=0)


FAULTS = {
    "empty.jpg": b"",
    "text.jpg": b"this is no picture",
    "cut.jpg": encoded(photograph(0))[:900],
}


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """One good picture, then one of each fault, by name: a.jpg, cut.jpg, empty.jpg, text.jpg."""
    for name, content in {"a.jpg": encoded(photograph(0)), **FAULTS}.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_names_the_file_and_the_key(faulty: Path, name: str) -> None:
    index = sorted(["a.jpg", *FAULTS]).index(name)
    with pytest.raises(ImageFileError, match=rf"{name}: cannot be read .*`\+task\.bad_image_limit=N`"):
        masked(faulty)[index]


def test_up_to_the_limit_they_are_left_out_by_all_workers_together(faulty: Path) -> None:
    data = masked(faulty, bad_limit=3)
    loader = DataLoader(data, batch_sampler=[[0, 1], [2, 3]], num_workers=2, collate_fn=data.collater)
    first, second = list(loader)
    assert first["id"].tolist() == [0]
    assert first["net_input"]["mask"]["indices"].shape == (1, 16)
    assert second == {}
    assert data.bad_files.indices == [1, 2, 3]
    strict = masked(faulty, bad_limit=2)
    assert [strict[index]["img"] is None for index in range(3)] == [False, True, True]
    with pytest.raises(ImageFileError, match=r"exceeds `task\.bad_image_limit` = 2"):
        strict[3]


def test_a_file_that_vanished_is_a_fault(root: Path, tmp_path: Path) -> None:
    data = masked(write_tree(tmp_path / "train", {"cat": 2}))
    (tmp_path / "train" / "cat" / "001.JPEG").unlink()
    with pytest.raises(ImageFileError, match=r"001\.JPEG: no such file"):
        data[1]


def test_batches_count_pictures(root: Path) -> None:
    data = masked(root)
    sizes = [len(rows) for rows in data.batch_by_size(data.ordered_indices(), max_sentences=3)]
    assert sizes == [3, 3, 1]
    sizes = [len(rows) for rows in data.batch_by_size(data.ordered_indices(), max_tokens=4)]
    assert sizes == [4, 3]
    kept, ignored = data.filter_indices_by_size(np.arange(7), 0)
    assert kept.tolist() == list(range(7))
    assert ignored == []
    made = data.collater([data[0], data[1]])
    assert (made["ntokens"], made["nsentences"], made["id"].tolist()) == (2, 2, [0, 1])
