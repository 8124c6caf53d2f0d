"""The text data set: masks follow seed, epoch and id only, and batches are padded."""

from __future__ import annotations

from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from fairseq.data import BaseWrapperDataset, FairseqDataset, ListDataset
from torch.utils.data import DataLoader

from data2vec_plugin.core.config import SpanMaskConfig
from data2vec_plugin.core.masks.token_masking import TokenMaskConfig, TokenMasker
from data2vec_plugin.data.sample_seeds import SampleSeeds
from data2vec_plugin.data.text.masked import MaskedTextDataset

PAD, MASK, SYMBOLS = 1, 59, 60
SIZES = [20, 12, 20, 16, 12, 20]


def blocks(sizes: List[int] = SIZES) -> BaseWrapperDataset:
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randint(4, MASK, (size,), generator=generator) for size in sizes]
    return ListDataset(rows, np.array(sizes))


def dataset(seed: int = 1, sizes: List[int] = SIZES) -> MaskedTextDataset:
    odds = np.array([0.0] * 4 + [1.0] * (MASK - 4) + [0.0])
    masker = TokenMasker(TokenMaskConfig(SpanMaskConfig(0.3, 1, min_masks=1, same_share=False)), MASK, odds)
    return MaskedTextDataset(blocks(sizes), masker, PAD, SampleSeeds(seed))


def same(left: Dict[str, Any], right: Dict[str, Any]) -> bool:
    return torch.equal(left["seen"], right["seen"]) and torch.equal(left["hidden"], right["hidden"])


def test_masks_follow_seed_epoch_and_id_only() -> None:
    first, second = dataset(), dataset()
    batch = first.collater([first[index] for index in (0, 1, 2)])["net_input"]
    other = second.collater([second[index] for index in (2, 4, 0)])["net_input"]
    pairs = [(batch[key], other[key]) for key in ("src_tokens", "target_tokens")]
    for left, right in [*pairs, (batch["mask"]["indices"], other["mask"]["indices"])]:
        assert torch.equal(left[0], right[2])
        assert torch.equal(left[2], right[0])


def test_another_epoch_seed_or_id_gives_another_mask() -> None:
    data, reseeded = dataset(), dataset(seed=2)
    first = data[0]
    assert not same(first, reseeded[0])
    alike = dataset(sizes=[20, 20])
    alike.blocks.dataset[1] = alike.blocks.dataset[0]
    assert not same(alike[0], alike[1])
    data.set_epoch(2)
    assert not same(first, data[0])
    data.set_epoch(1)
    assert same(first, data[0])


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_that_outlive_an_epoch_draw_anew(workers: int) -> None:
    data = dataset()
    loader = DataLoader(
        data,
        batch_sampler=[[0, 2], [5, 3]],
        num_workers=workers,
        collate_fn=data.collater,
        persistent_workers=workers > 0,
    )
    seen = []
    for epoch in (1, 2, 1):
        data.set_epoch(epoch)
        seen.append([batch["net_input"]["src_tokens"] for batch in loader])
    assert not torch.equal(seen[0][0], seen[1][0])
    assert all(torch.equal(left, right) for left, right in zip(seen[0], seen[2]))
    data.set_epoch(2)
    assert torch.equal(seen[1][0], data.collater([data[0], data[2]])["net_input"]["src_tokens"])


def test_batches_are_padded_and_hold_the_positions_of_their_masks() -> None:
    data = dataset()
    batch = data.collater([data[index] for index in (1, 0, 3)])
    inputs = batch["net_input"]
    padding = torch.arange(20) >= torch.tensor([[12], [20], [16]])
    assert inputs["padded"] is True
    assert torch.equal(inputs["src_tokens"].eq(PAD), padding)
    assert torch.equal(inputs["target_tokens"].eq(PAD), padding)
    assert not inputs["mask"]["indices"][padding].any()
    assert torch.equal(inputs["mask"]["indices"].flatten().nonzero().squeeze(1), inputs["mask"]["positions"])
    assert inputs["mask"]["indices"].any(dim=1).all()
    for row, index in enumerate((1, 0, 3)):
        assert torch.equal(inputs["target_tokens"][row, : SIZES[index]], data.blocks[index])
    shown = ~inputs["mask"]["indices"]
    assert torch.equal(inputs["src_tokens"][shown], inputs["target_tokens"][shown])
    assert batch["id"].tolist() == [1, 0, 3]
    assert (batch["ntokens"], batch["nsentences"]) == (48, 3)


def test_rows_of_one_length_are_not_padded() -> None:
    data = dataset()
    assert data.collater([data[0], data[2]])["net_input"]["padded"] is False
    assert data.collater([]) == {}


def test_rows_of_like_length_lie_together_in_an_order_drawn_from_the_seed() -> None:
    sizes = [7, 5] * 40
    data, again, other = dataset(sizes=sizes), dataset(sizes=sizes), dataset(seed=3, sizes=sizes)
    order = data.ordered_indices()
    assert sorted(order) == list(range(80))
    assert data.num_tokens_vec(order).tolist() == [5] * 40 + [7] * 40
    assert order.tolist() == again.ordered_indices().tolist() != other.ordered_indices().tolist()
    assert order[:40].tolist() != sorted(order[:40])


def test_what_fairseqs_iterator_asks_for() -> None:
    data = dataset()
    assert [data.size(1), data.num_tokens(3)] == [12, 16]
    assert len(data) == len(SIZES)
    assert data.can_reuse_epoch_itr_across_epochs
    batches = data.batch_by_size(data.ordered_indices(), max_tokens=40)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(SIZES)))


def test_batches_hold_every_block_also_where_fairseq_main_drops_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    stock = FairseqDataset.batch_by_size

    def as_main(self: FairseqDataset, *args: Any, required_batch_size_multiple: int = 1, **limits: Any) -> Any:
        batches = stock(self, *args, required_batch_size_multiple=required_batch_size_multiple, **limits)
        return batches[:-1] if batches and len(batches[-1]) % required_batch_size_multiple else batches

    monkeypatch.setattr(FairseqDataset, "batch_by_size", as_main)
    data = dataset()
    order = data.ordered_indices()
    limits = {"max_sentences": 8, "required_batch_size_multiple": 8}
    assert not as_main(data, order, **limits)
    assert np.concatenate(data.batch_by_size(order, **limits)).tolist() == order.tolist()
