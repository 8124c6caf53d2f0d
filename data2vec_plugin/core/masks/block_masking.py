"""Block-wise masks of a grid of patches (section 4.1; BEiT, section 2.3), drawn on the host."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Sequence, Tuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ..config import LEAST_MASKED, MOST_MASKED, SettingError
from .masking import BoolRows, Masker

BoolGrid = NDArray[np.bool_]
Block = Tuple[slice, slice]

TRIES = 10
"""How often a block that does not fit is redrawn before the mask is used as it is."""


@dataclass(frozen=True)
class BlockMaskConfig:
    """Rectangles of ``min_patches`` to ``max_patches`` until ``patches`` are hidden.

    A rectangle's sides differ by a factor between ``min_aspect`` and its inverse.
    """

    patches: int = 75
    min_patches: int = 16
    max_patches: int = 196
    min_aspect: float = 0.3

    def __post_init__(self) -> None:
        if self.patches < 1:
            raise SettingError("patches", self.patches, "at least 1 patch to regress")
        if self.min_patches < 1:
            raise SettingError("min_patches", self.min_patches, "at least 1")
        if self.max_patches < self.min_patches:
            least = f"{self.max_patches}, which is less than `min_patches` {self.min_patches}"
            raise SettingError("max_patches", least, "at least as many")
        if not 0 < self.min_aspect <= 1:
            raise SettingError("min_aspect", self.min_aspect, "a ratio of sides in (0, 1]")


class BlockMasker(Masker):
    """Draws blocks of an image of ``height`` by ``width`` patches, which follow one another row by row in its mask.

    At least one patch is hidden and at least one is not; otherwise no more than ``patches``, and somewhat fewer
    where no further block fits.

    >>> BlockMasker(BlockMaskConfig(), 14, 14).draw([196], [np.random.default_rng(0)]).indices.shape
    torch.Size([1, 196])
    """

    def __init__(self, config: BlockMaskConfig, height: int, width: int) -> None:
        if height * width < 2:
            raise SettingError(
                "grid",
                f"{height} x {width} patches, of which none is visible once one is masked",
                "at least two",
            )
        self.config = config
        self.grid = height, width

    def rows(self, sizes: Sequence[int], width: int, rngs: Sequence[Generator]) -> BoolRows:
        """(images, ``width``); raises ValueError where an image has more or fewer patches than the grid."""
        patches = self.grid[0] * self.grid[1]
        if {*sizes, width} != {patches}:
            raise ValueError(f"`sizes`: got {sorted({*sizes, width})} patches; expected {patches} in each image")
        return np.stack([self.sample(rng).reshape(-1) for rng in rngs])

    def sample(self, rng: Generator) -> BoolGrid:
        """One mask (height, width), True where hidden."""
        mask = np.zeros(self.grid, dtype=bool)
        remaining = min(self.config.patches, mask.size - 1)
        while remaining > 0:
            block = self._block(mask, remaining, rng)
            if block is None:
                break
            remaining -= int(np.count_nonzero(~mask[block]))
            mask[block] = True
        if not mask.any():  # no block is small enough for this grid
            mask.flat[rng.integers(mask.size)] = True
        return mask

    def check_share(self) -> None:
        """Raise SettingError for masks that hide next to nothing or next to everything."""
        height, width = self.grid
        share = self.config.patches / (height * width)
        if share < LEAST_MASKED or share > MOST_MASKED:
            raise SettingError(
                "patches",
                f"{self.config.patches} of {height} x {width} patches, {100 * share:.3g} % of an image",
                f"{100 * LEAST_MASKED:g} to {100 * MOST_MASKED:g} %, since masked patches are regressed from visible "
                "ones (120 of 196 are 61 %)",
            )

    def _block(self, mask: BoolGrid, remaining: int, rng: Generator) -> Optional[Block]:
        """A rectangle that hides at least one more patch and no more than ``remaining``; None if none was found."""
        config = self.config
        most = min(remaining, config.max_patches)
        widest = -math.log(config.min_aspect)
        for _ in range(TRIES):
            # with fewer patches to go than a block should have, areas lie between the two, as in BEiT
            area = config.min_patches + (most - config.min_patches) * rng.random()
            aspect = math.exp(widest * (2 * rng.random() - 1))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (0 < height < self.grid[0] and 0 < width < self.grid[1]):
                continue
            top, left = rng.integers(self.grid[0] - height + 1), rng.integers(self.grid[1] - width + 1)
            block = slice(top, top + height), slice(left, left + width)
            if 0 < np.count_nonzero(~mask[block]) <= most:
                return block
        return None
