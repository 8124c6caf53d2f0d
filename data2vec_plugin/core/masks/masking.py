"""Base classes that draw masks, and span masks as functions of the generators passed to them (section 4.2; wav2vec
2.0, section 3.2).

Sampling is NumPy's, on the CPU: the model receives ready indices and never waits for the device.
A row's generator comes from (seed, epoch, sample id), so a mask's spans depend neither on batch nor on worker. The
later steps depend on the batch: ``same_share`` trims to its smallest share, and like ``dropout`` draws from the last
row's generator. This stays so, since recorded masks depend on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import List, Optional, Sequence

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from ..config import SpanMaskConfig
from ..outputs import Tokens
from .mask import Mask

Indices = NDArray[np.int64]
BoolRows = NDArray[np.bool_]


def row_generator(seed: int, epoch: int, index: int, copy: int = 0) -> Generator:
    """A separate generator for each mask: of sample ``index`` in ``epoch``, for each ``copy`` of the sample."""
    return np.random.default_rng((seed, epoch, index, copy))


def hashed_row_generator(seed: int, epoch: int, index: int) -> Generator:
    """The reference's generator, also used by recorded masks: one of at most a million.

    It takes the remainder of a float, which leaves few distinct seeds: 1.28 million samples share 38,609 in an epoch.
    """
    return np.random.default_rng(int(hash((seed, epoch, index)) % 1e6))


def batch_generators(rows: int) -> List[Generator]:
    """Generators for a batch without sample ids: they follow torch's CPU seed, so they resume with it.

    The trainer uses the same seed on all ranks, so the rank is added to make their masks differ.
    """
    entropy = int(torch.randint(2**31, ()).item())
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    rank = torch.distributed.get_rank() if distributed else 0
    return [np.random.default_rng((entropy, row, rank)) for row in range(rows)]


def span_mask(
    sizes: Sequence[int],
    width: int,
    config: SpanMaskConfig,
    generators: Sequence[Generator],
    trim_to_count: bool = False,
) -> BoolRows:
    """Mask spans in each row: ``sizes`` unpadded lengths, one generator per row -> (rows, width) bool.

    No row is masked entirely: at least one position stays visible. With ``same_share`` every row is trimmed, one
    position at a time, to the smallest share in the batch; ``trim_to_count`` trims to the smallest *count*,
    as the reference does, which masks too little of long rows when lengths differ. ``dropout`` keeps at least one
    position masked.
    """
    check_generators(len(sizes), generators)
    rows = [_row_spans(size, config, rng) for size, rng in zip(sizes, generators)]
    mask = np.zeros((len(rows), width), dtype=bool)
    goals = _equal_goals(rows, sizes, config, trim_to_count)
    for row, (masked, goal, size) in enumerate(zip(rows, goals, sizes)):
        # the reference trims and drops with the last row's generator; recorded masks pin this
        mask[row, _resize(masked, goal, size, generators[-1])] = True
        if config.dropout > 0:
            hidden = np.flatnonzero(mask[row])
            holes = min(int(np.rint(len(hidden) * config.dropout)), max(len(hidden) - 1, 0))
            mask[row, generators[-1].choice(hidden, holes, replace=False)] = False
    return mask


def _row_spans(size: int, config: SpanMaskConfig, rng: Generator) -> Indices:
    """Sorted masked positions of one row of ``size`` positions."""
    count = max(config.min_masks, int(config.prob * size / config.length + rng.random()))
    if size < 2 or config.prob == 0 or count == 0:
        return np.zeros(0, dtype=np.int64)
    lengths = _span_lengths(count, size, config, rng)
    if config.no_overlap:
        starts, lengths = _separate_starts(size, lengths, config.min_space, rng)
    else:
        # the reference's bound: starts lie below size - shortest, or below count + 1 in short rows
        bound = min(size, max(size - int(lengths.min()), len(lengths) + 1))
        starts = rng.choice(bound, min(len(lengths), bound), replace=False)
    spans = [np.arange(start, min(start + length, size)) for start, length in zip(starts, lengths)]
    masked = np.unique(np.concatenate(spans))
    if len(masked) == size:
        masked = np.delete(masked, rng.integers(size))
    return masked.astype(np.int64)


def _span_lengths(count: int, size: int, config: SpanMaskConfig, rng: Generator) -> Indices:
    """Lengths of ``count`` spans; at least one position in total."""
    if config.selection == "static":
        return np.full(count, config.length)
    if config.selection == "uniform":
        lengths = rng.integers(int(config.other), 2 * config.length + 1, size=count)
    elif config.selection == "normal":
        lengths = np.maximum(1, np.rint(rng.normal(config.length, config.other, size=count)).astype(np.int64))
    else:
        lengths = rng.poisson(config.length, size=count)
    return lengths if lengths.sum() > 0 else np.array([min(config.length, size - 1)])


def _separate_starts(size: int, lengths: Indices, space: int, rng: Generator) -> tuple[Indices, Indices]:
    """Starts of spans that keep ``space`` visible positions between them; spans that do not fit are left out.

    Every arrangement is equally likely: the free positions are distributed between the spans.
    """
    lengths = rng.permutation(lengths)
    needed = np.cumsum(lengths + space) - space
    lengths = lengths[needed < size]
    if len(lengths) == 0:
        return np.zeros(1, dtype=np.int64), np.array([max(1, size - 1)])
    free = size - int(needed[len(lengths) - 1])
    gaps = np.sort(rng.choice(free + len(lengths), len(lengths), replace=False)) - np.arange(len(lengths))
    before = np.concatenate([[0], np.cumsum(lengths[:-1] + space)])
    return gaps + before, lengths


def _equal_goals(
    rows: Sequence[Indices], sizes: Sequence[int], config: SpanMaskConfig, trim_to_count: bool
) -> List[Optional[int]]:
    """How many positions each row should mask; None where rows may differ."""
    if not config.same_share or not rows:
        return [None] * len(rows)
    choose = max if config.grow else min
    if trim_to_count or len(set(sizes)) == 1:
        count = choose(len(row) for row in rows)
        return [min(count, max(size - 1, 0)) for size in sizes]
    shares = (len(row) / size for row, size in zip(rows, sizes) if size > 1)  # a single position cannot be masked
    share = choose(shares, default=0.0)
    return [min(round(share * size), max(size - 1, 0)) for size in sizes]


def _resize(masked: Indices, goal: Optional[int], size: int, rng: Generator) -> Indices:
    """Drop or add single positions at random until ``goal`` of them are masked."""
    if goal is None or goal == len(masked):
        return masked
    if goal < len(masked):
        return rng.choice(masked, goal, replace=False)
    visible = np.setdiff1d(np.arange(size), masked)
    return np.concatenate([masked, rng.choice(visible, goal - len(masked), replace=False)])


class Masker(ABC):
    """Draws the masks of a batch on the CPU; a subclass defines how rows are masked.

    Rows shorter than ``shortest`` cannot hold both a masked span and a visible position.
    """

    shortest = 2

    def draw(
        self, sizes: Sequence[int], rngs: Sequence[Generator], copies: int = 1, width: Optional[int] = None
    ) -> Mask:
        """Mask rows of the given unpadded ``sizes``, ``copies`` times each: (rows · copies, ``width``), on the CPU.

        The copies of a row are consecutive, each drawn from its own entry of ``rngs``. The width defaults to the
        longest row's.
        """
        each = [size for size in sizes for _ in range(copies)]
        check_generators(len(each), rngs)
        longest = max(each, default=0) if width is None else width
        return Mask.of_rows(self.rows(each, longest, rngs))

    @abstractmethod
    def rows(self, sizes: Sequence[int], width: int, rngs: Sequence[Generator]) -> BoolRows:
        """(rows, ``width``), True where hidden; ``rngs`` are one for each row."""


class SpanMasker(Masker):
    """Draws spans over time or over channels; one object per kind of mask.

    >>> masker = SpanMasker(SpanMaskConfig(prob=0.5, length=4))
    >>> masker.draw([40, 40], [row_generator(1, 1, i) for i in (0, 1)]).indices.shape
    torch.Size([2, 40])
    """

    def __init__(self, config: SpanMaskConfig, trim_to_count: bool = False) -> None:
        self.config = config
        self.trim_to_count = trim_to_count
        self.shortest = config.length + 1

    def rows(self, sizes: Sequence[int], width: int, rngs: Sequence[Generator]) -> BoolRows:
        """See :func:`span_mask`."""
        return span_mask(sizes, width, self.config, rngs, self.trim_to_count)


class BatchMasker:
    """Draws the masks of a batch on the host: each row ``copies`` times.

    ``channels`` optionally draws masked channels out of ``dim``. If the student encodes ``visible_only`` tokens, masks
    hold their positions, including a share ``keep`` of the masked ones.
    """

    def __init__(
        self,
        masker: Masker,
        channels: Optional[Masker] = None,
        dim: int = 0,
        copies: int = 1,
        visible_only: bool = False,
        keep: float = 0.0,
    ) -> None:
        self.masker = masker
        self.channels = channels
        self.dim = dim
        self.copies = copies
        self.visible_only = visible_only
        self.keep = keep

    def draw(self, sizes: Sequence[int], rngs: Sequence[Generator], width: Optional[int] = None) -> Mask:
        """Mask rows of the given unpadded ``sizes``, on the CPU; the copies of a row are consecutive in ``rngs``."""
        mask = self.masker.draw(sizes, rngs, self.copies, width)
        if self.channels is not None:
            mask.channels = self.channels.draw([self.dim] * len(rngs), rngs, width=self.dim).indices
        return self.with_visible(mask, sizes) if self.visible_only else mask

    def with_visible(self, mask: Mask, sizes: Sequence[int]) -> Mask:
        """The mask with its visible positions, padding excluded; ``sizes`` are the unpadded lengths."""
        copies = len(mask.indices) // max(len(sizes), 1)
        return mask.with_visible([size for size in sizes for _ in range(copies)], self.keep)

    def drawn(self, tokens: Tokens) -> Mask:
        """A mask on the tokens' device if the batch has none, seeded by torch's CPU generator."""
        rows, width, sizes = tokens.x.size(0) * self.copies, tokens.x.size(1), tokens.sizes()
        mask = self.masker.draw(sizes, batch_generators(rows), self.copies, width)
        mask.channels = self.drawn_channels(rows)
        return (self.with_visible(mask, sizes) if self.visible_only else mask).to(tokens.x.device)

    def drawn_channels(self, rows: int) -> Optional[Tensor]:
        """Masked channels (B, C) bool; None where none are configured."""
        if self.channels is None:
            return None
        return self.channels.draw([self.dim] * rows, batch_generators(rows), width=self.dim).indices


def check_hides(mask: Mask, padding_mask: Optional[Tensor]) -> None:
    """Raise ValueError for a mask that hides nothing, naming the cause: too short rows, or the mask.

    ``padding_mask`` (B, T) is True where the batch is padded; it is read only if nothing is hidden.
    """
    if mask.count > 0:
        return
    rows, longest = mask.indices.shape
    if padding_mask is not None and padding_mask.numel() > 0:
        longest = int((~padding_mask).sum(1).max())
    batch = f"nothing is masked, so there is nothing to regress, in a batch of {rows} rows of at most {longest} tokens"
    if rows == 0 or longest < 2:
        raise ValueError(f"{batch}: a row needs at least two, one masked and one visible; leave out shorter rows")
    raise ValueError(f"{batch}: the mask hides none of them; set the masked share above 0")


def check_generators(rows: int, rngs: Sequence[Generator]) -> None:
    """Raise ValueError unless there is a generator for each row."""
    if len(rngs) != rows:
        raise ValueError(f"`generators`: got {len(rngs)} for {rows} rows; expected one for each row")
