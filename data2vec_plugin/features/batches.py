"""Items -> batches of similar size, examined and loaded ahead by threads; bad items are reported, not raised."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Deque, Iterator, List, Optional, Sequence, Tuple, Union

from torch import Tensor

from .items import BadItemError, Input, Item, Reader

WINDOW = 512
"""Items sorted by size together: enough for little padding, few enough to resume close to where a run stopped."""

Report = Callable[[Item, str], None]
Loaded = List[Union[Tensor, str]]
"""The item that was read, or why it could not be."""


@dataclass(frozen=True)
class Batch:
    """Inputs of similar size and their contents, in the same order."""

    inputs: List[Input]
    rows: List[Tensor]


@dataclass(frozen=True)
class Batching:
    """At most ``limit`` per batch, in units of size with padding; a larger item is its own batch.

    ``like_only``: only items of equal size share a batch, for models whose outputs depend on padding.
    """

    limit: int
    like_only: bool = False
    workers: int = 2

    def groups(self, inputs: Sequence[Input]) -> Iterator[List[Input]]:
        """The largest batches first, so that running out of memory is noticed at once."""
        group: List[Input] = []
        for each in sorted(inputs, key=lambda each: -each.size):
            full = group and (len(group) + 1) * group[0].size > self.limit
            if full or (group and self.like_only and each.size != group[0].size):
                yield group
                group = []
            group.append(each)
        if group:
            yield group


def batch_limit(given: Optional[float], reader: Reader, option: str = "--batch") -> int:
    """The limit of a batch; raises ValueError, which names the ``option``, unless it is positive."""
    batch = reader.default_batch if given is None else given
    if not batch > 0:
        raise ValueError(f"`{option}` is {batch:g}; expected more than 0 {reader.unit}")
    return max(int(batch * reader.sizes_per_unit), 1)


def batches(items: Sequence[Item], reader: Reader, batching: Batching, bad: Report) -> Iterator[Batch]:
    """The items in batches, window by window; ``bad`` is called with skipped items, in the caller's thread."""

    def look(item: Item) -> Tuple[Item, Union[Input, str]]:
        try:
            return item, reader.look(item)
        except BadItemError as error:
            return item, str(error)

    with ThreadPoolExecutor(batching.workers) as pool:
        waiting: Deque[Tuple[List[Input], Future[Loaded]]] = deque()
        for start in range(0, len(items), WINDOW):
            inputs = []
            for item, found in pool.map(look, items[start : start + WINDOW]):
                if isinstance(found, Input):
                    inputs.append(found)
                else:
                    bad(item, found)
            for group in batching.groups(inputs):
                waiting.append((group, pool.submit(load, group)))
                if len(waiting) > batching.workers:
                    yield from whole(*waiting.popleft(), bad)
        while waiting:
            yield from whole(*waiting.popleft(), bad)


def load(group: List[Input]) -> Loaded:
    """The content of each item, or why it could not be read."""
    found: Loaded = []
    for each in group:
        try:
            found.append(each.load())
        except BadItemError as error:
            found.append(str(error))
    return found


def whole(group: List[Input], loading: Future[Loaded], bad: Report) -> Iterator[Batch]:
    """The batch without bad items; none if all are bad."""
    inputs, rows = [], []
    for each, found in zip(group, loading.result()):
        if isinstance(found, Tensor):
            inputs.append(each)
            rows.append(found)
        else:
            bad(each.item, found)
    if inputs:
        yield Batch(inputs, rows)
