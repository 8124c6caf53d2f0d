"""Masks of data2vec 2.0: blocks on a line or a grid, then single positions, until the requested share is hidden.

Section 3.4 of its paper: "inverse" blocks stay visible, so that visible tokens are contiguous.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..config import LEAST_MASKED, MOST_MASKED, SettingError
from .masking import BoolRows, Masker

Flags = NDArray[np.bool_]
Shape = Tuple[int, ...]


@dataclass(frozen=True)
class ExactMaskConfig:
    """How the masks of data2vec 2.0 are drawn: in blocks, then position by position until the share is reached."""

    prob: float = 0.7
    """Share of every row that is hidden."""
    length: int = 5
    """Length of a block on each axis; 1 masks single positions."""
    adjust: float = 0.0
    """Additional share for which blocks are drawn, since they overlap."""
    inverse: bool = False
    """Whether blocks stay visible, and the rest is hidden."""
    dropout: float = 0.0
    """Share of blocks that are drawn in addition, so that positions are shown again at random."""
    adjacent: bool = False
    """Whether positions next to a block are hidden first."""
    separate: bool = False
    """Whether blocks are tiles, which do not overlap."""
    same_share: bool = True
    """Whether the share is reached exactly; if not, a row's blocks stay as drawn."""
    least: Optional[float] = None
    """If given, each batch's share is drawn between this and ``prob``."""

    def __post_init__(self) -> None:
        if self.length < 1:
            raise SettingError("length", self.length, "at least 1 position")
        if not LEAST_MASKED <= self.prob <= MOST_MASKED:
            raise SettingError(
                "prob",
                self.prob,
                f"a share from {LEAST_MASKED:g} to {MOST_MASKED:g}, since masked positions are regressed from visible "
                "ones",
            )
        if not 0 <= self.dropout < 1:
            raise SettingError("dropout", self.dropout, "a share in [0, 1)")

    def check_share(self) -> None:
        """Nothing to check: the share is ``prob``, whose range is checked above."""


class ExactMasker(Masker):
    """Hides a share of every row; of a ``grid``, whose positions follow one another row by row, in squares.

    >>> ExactMasker(ExactMaskConfig(0.5, 5)).draw([40], [np.random.default_rng(0)]).count
    20
    """

    def __init__(self, config: ExactMaskConfig, grid: Optional[Tuple[int, int]] = None) -> None:
        if grid is not None and grid[0] * grid[1] < 2:
            raise SettingError(
                "grid", f"{grid[0]} x {grid[1]} patches, of which none is visible once one is masked", "at least two"
            )
        self.config = config
        self.grid = grid

    def rows(self, sizes: Sequence[int], width: int, rngs: Sequence[Generator]) -> BoolRows:
        """(rows, ``width``); raises ValueError where a row does not fill the grid."""
        if self.grid is not None and any(size != self.grid[0] * self.grid[1] for size in sizes):
            raise ValueError(
                f"`sizes`: got rows of {min(sizes)} to {max(sizes)} positions; expected {self.grid[0]} x {self.grid[1]}"
            )
        mask = np.zeros((len(sizes), width), dtype=bool)
        prob = self.share(rngs)
        for row, size, rng in zip(mask, sizes, rngs):
            if size > 1:
                row[:size] = self.sample((size,) if self.grid is None else self.grid, prob, rng).reshape(-1)
        return mask

    def share(self, rngs: Sequence[Generator]) -> float:
        """The share of each row of a batch that is hidden."""
        least = self.config.least
        if least is None or not 0 <= least < self.config.prob or not rngs:
            return self.config.prob
        return float(rngs[0].uniform(least, self.config.prob))

    def sample(self, shape: Shape, prob: float, rng: Generator) -> Flags:
        """One mask of this shape, True where hidden."""
        config, single = self.config, self.config.length == 1
        chosen = 1 - prob if config.inverse else prob
        if single:
            mask = np.zeros(shape, dtype=bool)
        else:
            mask = self.tiles(shape, chosen, rng) if config.separate else self.blocks(shape, chosen, rng)
        if single or config.same_share:
            size = math.prod(shape)
            # for single positions the reference counts the visible ones
            goal = size - int(size * (1 - prob)) if single else int(size * chosen)
            self.meet(mask, min(max(goal, 1), size - 1), rng)
        return ~mask if config.inverse and not single else mask

    def blocks(self, shape: Shape, chosen: float, rng: Generator) -> Flags:
        """Squares around centres that may coincide; squares that would leave the grid are moved to its border."""
        config, size = self.config, math.prod(shape)
        count = int(size * ((chosen + config.adjust) / config.length ** len(shape)) * (1 + config.dropout))
        centres = np.unravel_index(rng.integers(size, size=count), shape)
        reach = np.arange(config.length) - config.length // 2
        offsets = np.meshgrid(*[reach] * len(shape), indexing="ij")
        places = tuple(
            np.clip(centre[:, None] + offset.reshape(-1), 0, side - 1)
            for centre, offset, side in zip(centres, offsets, shape)
        )
        mask = np.zeros(shape, dtype=bool)
        mask[places] = True
        return mask

    def tiles(self, shape: Shape, chosen: float, rng: Generator) -> Flags:
        """Squares side by side."""
        config = self.config
        across = [math.ceil(side / config.length) for side in shape]
        size = math.prod(across)
        count = min(int(size * (chosen + config.adjust) * (1 + config.dropout)), size)
        tiles = np.zeros(size, dtype=bool)
        tiles[rng.choice(size, count, replace=False)] = True
        mask = tiles.reshape(across)
        for axis in range(len(shape)):
            mask = np.repeat(mask, config.length, axis)
        cut: Flags = mask[tuple(slice(side) for side in shape)].copy()
        return cut

    def meet(self, mask: Flags, goal: int, rng: Generator) -> None:
        """Hide or show single positions until ``goal`` are hidden, in place."""
        if self.config.adjacent:
            grow(mask, int(goal * (1 + self.config.dropout)), rng)
        flat = mask.reshape(-1)
        change = goal - int(flat.sum())
        candidates = np.flatnonzero(~flat if change > 0 else flat)
        flat[rng.choice(candidates, abs(change), replace=False)] = change > 0


def grow(mask: Flags, goal: int, rng: Generator) -> None:
    """Hide what lies next to hidden positions, ring by ring, until ``goal`` are hidden, in place."""
    goal = min(goal, mask.size)
    while 0 < (count := int(mask.sum())) < goal:
        beside = np.zeros_like(mask)
        for axis in range(mask.ndim):
            ahead, behind = np.moveaxis(beside, axis, 0), np.moveaxis(mask, axis, 0)
            ahead[1:] |= behind[:-1]
            ahead[:-1] |= behind[1:]
        candidates = np.flatnonzero(beside & ~mask)
        mask.reshape(-1)[rng.choice(candidates, min(goal - count, len(candidates)), replace=False)] = True
