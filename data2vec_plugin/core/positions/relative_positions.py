"""Relative positions on a grid of patches as a learned bias of attention (Swin; BEiT, section 2.1)."""

from __future__ import annotations

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Grid = Tuple[int, int]
CLASS_ENTRIES = 3
"""Rows of a table beyond the offsets: class token to patch, patch to class token, class token to itself."""


class RelativePositionBias(nn.Module):
    """One learned value for each offset between two patches and each head, for a class token and then the patches.

    ``table`` ((2R-1)·(2C-1)+3, H) starts at zero; the index from pairs of tokens to its rows is not part of the state.
    """

    index: Tensor

    def __init__(self, grid: Grid, heads: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(table_rows(grid), heads))
        self.register_buffer("index", pair_index(grid), persistent=False)

    def forward(self) -> Tensor:
        """The bias of attention (1, H, 1+R·C, 1+R·C)."""
        # attention kernels require a contiguous key axis
        return self.table[self.index].permute(2, 0, 1).contiguous().unsqueeze(0)


def table_rows(grid: Grid) -> int:
    """Length of the table of a grid of (rows, columns) patches."""
    rows, columns = grid
    return (2 * rows - 1) * (2 * columns - 1) + CLASS_ENTRIES


def pair_index(grid: Grid) -> Tensor:
    """Which row of the table belongs to each (query, key), int64 (1+R·C, 1+R·C); 0 is the class token.

    >>> pair_index((1, 2))
    tensor([[5, 3, 3],
            [4, 1, 0],
            [4, 2, 1]])
    """
    rows, columns = grid
    patch = torch.arange(rows * columns)
    down, right = (
        along.unsqueeze(1) - along + reach - 1
        for along, reach in ((patch // columns, rows), (patch % columns, columns))
    )
    offsets = table_rows(grid) - CLASS_ENTRIES
    index = torch.empty(len(patch) + 1, len(patch) + 1, dtype=torch.int64)
    index[1:, 1:] = down * (2 * columns - 1) + right
    index[0, :], index[:, 0] = offsets, offsets + 1
    index[0, 0] = offsets + 2
    return index


def square_grid(rows: int) -> Grid:
    """The square grid whose table has this many rows; raises ValueError if there is none."""
    side = (round(max(rows - CLASS_ENTRIES, 0) ** 0.5) + 1) // 2
    if table_rows((side, side)) != rows:
        raise ValueError(
            f"a table of relative positions has {rows} rows, which is not (2·side-1)² + {CLASS_ENTRIES} for any square "
            f"grid; expected the table of a square image"
        )
    return side, side


def interpolated_table(table: Tensor, old: Grid, new: Grid) -> Tensor:
    """A table for another grid: bicubic over the offsets, the class token's rows as they are.

    ((2R-1)·(2C-1)+3, H) -> the same of the new grid, for fine-tuning at another resolution. Offsets keep their
    meaning as shares of the image, so the longest offset stays the longest. Raises ValueError for a table that
    is not of the old grid.
    """
    if len(table) != table_rows(old):
        raise ValueError(
            f"a table of relative positions has {len(table)} rows, expected {table_rows(old)} for {old[0]} x {old[1]} "
            f"patches; give the grid that it was trained with"
        )
    if old == new:
        return table
    offsets, rest = table[:-CLASS_ENTRIES], table[-CLASS_ENTRIES:]
    # (offsets, H) -> (1, H, 2R-1, 2C-1), in fp32, since half precision has no bicubic kernel on a CPU
    image = offsets.float().t().reshape(1, -1, 2 * old[0] - 1, 2 * old[1] - 1)
    size = (2 * new[0] - 1, 2 * new[1] - 1)
    resized = F.interpolate(image, size=size, mode="bicubic", align_corners=True)
    return torch.cat([resized.flatten(2)[0].t().to(table.dtype), rest])
