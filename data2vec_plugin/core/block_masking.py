"""Block-wise masks of a grid of patches (section 4.1; BEiT, section 2.3), drawn on the host."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional, Tuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .config import LEAST_MASKED, MOST_MASKED

BoolGrid = NDArray[np.bool_]
Block = Tuple[slice, slice]

TRIES = 10
"""How often a block is drawn anew that does not fit, before the mask is left as it is."""


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
            raise ValueError(f"`num_mask_patches` is {self.patches}; expected at least 1 patch to regress")
        if self.min_patches < 1:
            raise ValueError(f"`min_mask_patches_per_block` is {self.min_patches}; expected at least 1")
        if self.max_patches < self.min_patches:
            raise ValueError(
                f"`max_mask_patches_per_block` is {self.max_patches}, less than `min_mask_patches_per_block`, which is "
                f"{self.min_patches}; expected at least as many"
            )
        if not 0 < self.min_aspect <= 1:
            raise ValueError(f"`min_aspect` is {self.min_aspect}; expected a ratio of sides in (0, 1]")


class BlockMasker:
    """Draws the mask of one image of ``rows`` by ``columns`` patches.

    At least one patch is hidden and at least one is not; otherwise no more than ``patches``, and somewhat fewer
    where no further block fits.

    >>> BlockMasker(BlockMaskConfig(), 14, 14).sample(np.random.default_rng(0)).shape
    (14, 14)
    """

    def __init__(self, config: BlockMaskConfig, rows: int, columns: int) -> None:
        if rows * columns < 2:
            raise ValueError(
                f"an image of {rows} x {columns} patches leaves nothing to see once one is masked; expected at "
                f"least two: raise `image_size` or lower `patch_size`"
            )
        self.config = config
        self.rows = rows
        self.columns = columns

    def sample(self, rng: Generator) -> BoolGrid:
        """One mask (rows, columns), True where hidden."""
        mask = np.zeros((self.rows, self.columns), dtype=bool)
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
        """Raise ValueError, by the name of the key, for masks that hide next to nothing or next to everything."""
        size = self.rows * self.columns
        share = self.config.patches / size
        if share < LEAST_MASKED or share > MOST_MASKED:
            raise ValueError(
                f"`num_mask_patches` is {self.config.patches} of {self.rows} x {self.columns} patches, "
                f"{100 * share:.3g} % of an image; expected {100 * LEAST_MASKED:g} to {100 * MOST_MASKED:g} %, since "
                f"what is hidden is regressed from what is not (120 of 196 are 61 %)"
            )

    def _block(self, mask: BoolGrid, remaining: int, rng: Generator) -> Optional[Block]:
        """A rectangle that hides at least one more patch and no more than ``remaining``; None if none was met."""
        config = self.config
        most = min(remaining, config.max_patches)
        widest = -math.log(config.min_aspect)
        for _ in range(TRIES):
            # with fewer patches to go than a block should have, areas lie between the two, as in BEiT
            area = config.min_patches + (most - config.min_patches) * rng.random()
            aspect = math.exp(widest * (2 * rng.random() - 1))
            height, width = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if not (0 < height < self.rows and 0 < width < self.columns):
                continue
            top, left = rng.integers(self.rows - height + 1), rng.integers(self.columns - width + 1)
            block = slice(top, top + height), slice(left, left + width)
            if 0 < np.count_nonzero(~mask[block]) <= most:
                return block
        return None
