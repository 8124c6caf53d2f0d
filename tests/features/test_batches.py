"""Batches: like sizes together, none above the limit, every item once, bad ones told."""

from __future__ import annotations

from typing import List

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_plugin.features import batches as module
from data2vec_plugin.features.batches import Batching, batches
from data2vec_plugin.features.items import BadItemError, Input, Item, padded


class Sizes:
    """Items whose source is their size; 0 cannot be looked at, 13 not be loaded."""

    unit, default_batch, sizes_per_unit = "sizes", 1.0, 1

    def look(self, item: Item) -> Input:
        size = int(item.source)
        if size == 0:
            raise BadItemError("is empty")
        return Input(item, size, lambda: self.load(size))

    def load(self, size: int) -> torch.Tensor:
        if size == 13:
            raise BadItemError("brings bad luck")
        return torch.zeros(size)


def items(sizes: List[int]) -> List[Item]:
    return [Item(str(number), f"list:{number}", str(size)) for number, size in enumerate(sizes)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=40), st.integers(1, 60), st.booleans(), st.integers(1, 3))
def test_every_item_once_within_the_limit(sizes: List[int], limit: int, like_only: bool, workers: int) -> None:
    told, seen = [], []
    found = batches(items(sizes), Sizes(), Batching(limit, like_only, workers), lambda item, _: told.append(item.name))  # type: ignore[arg-type]
    for batch in found:
        widths = [each.size for each in batch.inputs]
        assert widths == [len(row) for row in batch.rows]
        assert len(widths) == 1 or len(widths) * max(widths) <= limit
        assert not like_only or len(set(widths)) == 1
        seen += [each.item.name for each in batch.inputs]
    assert sorted(seen + told, key=int) == [str(number) for number in range(len(sizes))]
    assert {sizes[int(name)] for name in told} <= {0, 13}


def test_windows_keep_the_order_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 3)
    found = [
        [each.size for each in batch.inputs]
        for batch in batches(items([1, 5, 2, 9, 1, 9]), Sizes(), Batching(9), print)
    ]  # type: ignore[arg-type]
    assert found == [[5], [2, 1], [9], [9], [1]]


def test_padding() -> None:
    source, mask = padded([torch.tensor([1, 2, 3]), torch.tensor([4])], 7)
    assert source.tolist() == [[1, 2, 3], [4, 7, 7]]
    assert mask is not None
    assert mask.tolist() == [[False] * 3, [False, True, True]]
    assert padded([torch.tensor([1]), torch.tensor([2])], 7)[1] is None
