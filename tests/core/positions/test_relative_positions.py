"""Which pair of tokens shares which learned bias, and the table on another grid."""

from __future__ import annotations

from typing import Tuple

import pytest
import torch
from parity.cases import Case, cases

from data2vec_plugin.core.positions.relative_positions import (
    RelativePositionBias,
    interpolated_table,
    pair_index,
    square_grid,
    table_rows,
)

GRIDS = [(1, 1), (2, 3), (3, 2), (5, 5)]


@pytest.mark.parametrize("grid", GRIDS)
def test_pairs_share_a_row_if_their_offsets_are_the_same(grid: Tuple[int, int]) -> None:
    index, (rows, columns) = pair_index(grid), grid
    places = [(r, c) for r in range(rows) for c in range(columns)]
    rows_of = {}
    for i, (r, c) in enumerate(places):
        for j, (s, d) in enumerate(places):
            rows_of.setdefault((r - s, c - d), set()).add(int(index[1 + i, 1 + j]))
    assert all(len(found) == 1 for found in rows_of.values())
    patches = {row for found in rows_of.values() for row in found}
    assert len(patches) == len(rows_of) == (2 * rows - 1) * (2 * columns - 1)
    others = [set(part.flatten().tolist()) for part in (index[0, 1:], index[1:, 0], index[0, :1])]
    assert sorted(patches.union(*others)) == list(range(table_rows(grid)))
    assert [len(part) for part in others] == [1, 1, 1]


@pytest.mark.parametrize("case", cases("vision_base", "pretraining"), ids=str)
def test_index_is_the_recorded_one(case: Case) -> None:
    state = case.tensors("state")
    recorded = state["encoder.rel_pos_bias.relative_position_index"]
    table = state["encoder.rel_pos_bias.relative_position_bias_table"]
    assert torch.equal(pair_index(square_grid(len(table))), recorded)


def test_bias_is_what_the_table_says_and_trains_it() -> None:
    bias = RelativePositionBias((2, 2), heads=3)
    assert not bias().any()
    with torch.no_grad():
        bias.table.copy_(torch.randn(bias.table.shape))
    found = bias()
    assert found.shape == (1, 3, 5, 5)
    assert torch.equal(found[0, 1, 0, 3], bias.table[-3, 1])
    assert torch.equal(found[0, 1, 3, 0], bias.table[-2, 1])
    assert torch.equal(found[0, 1, 0, 0], bias.table[-1, 1])
    found.sum().backward()
    assert bias.table.grad is not None
    assert float(bias.table.grad.sum()) == 3 * 25


def test_index_is_no_state_and_moves_with_the_module() -> None:
    bias = RelativePositionBias((2, 2), heads=3)
    assert list(bias.state_dict()) == ["table"]
    assert bias.half().index.dtype == torch.int64
    assert bias().dtype == torch.float16


@pytest.mark.parametrize("side", [1, 2, 5, 14, 37])
def test_square_grid_is_told_by_the_table(side: int) -> None:
    assert square_grid(table_rows((side, side))) == (side, side)


@pytest.mark.parametrize("rows", [0, 3, 5, 83, 18])
def test_a_table_of_no_square_is_refused(rows: int) -> None:
    with pytest.raises(ValueError, match=rf"has {rows} rows.* expected the table of a square image"):
        square_grid(rows)


def test_another_grid_keeps_class_rows_constants_and_extreme_offsets() -> None:
    torch.manual_seed(0)
    table = torch.randn(table_rows((4, 4)), 2)
    new = interpolated_table(table, (4, 4), (6, 8))
    assert new.shape == (table_rows((6, 8)), 2)
    assert torch.equal(new[-3:], table[-3:])
    corners = [0, 6, -4 - 6, -4]  # of the 7 x 7 offsets
    wanted = [0, 14, -4 - 14, -4]  # of the 11 x 15
    torch.testing.assert_close(new[wanted], table[corners], rtol=1e-4, atol=1e-5)
    constant = torch.full_like(table, 0.7)
    torch.testing.assert_close(interpolated_table(constant, (4, 4), (9, 3)), torch.full((85 + 3, 2), 0.7))


def test_a_smooth_table_stays_what_it_was() -> None:
    """A bias that falls with the distance, as a share of the image, does so on the finer grid."""

    def linear(side: int) -> torch.Tensor:
        offsets = torch.linspace(-1, 1, 2 * side - 1)
        plane = offsets.unsqueeze(1) + 2 * offsets
        return torch.cat([plane.flatten(), torch.zeros(3)]).unsqueeze(1)

    resized = interpolated_table(linear(8), (8, 8), (12, 12))[:-3].view(23, 23)
    wanted = linear(12)[:-3].view(23, 23)
    inner = slice(3, -3)  # cubic interpolation bends at the border
    torch.testing.assert_close(resized[inner, inner], wanted[inner, inner], rtol=0, atol=0.03)


def test_the_same_grid_gives_the_same_table_and_half_precision_stays() -> None:
    table = torch.randn(table_rows((3, 3)), 2)
    assert interpolated_table(table, (3, 3), (3, 3)) is table
    assert interpolated_table(table.half(), (3, 3), (4, 4)).dtype == torch.float16
    with pytest.raises(ValueError, match="has 28 rows, expected 52 for 4 x 4 patches"):
        interpolated_table(table, (4, 4), (5, 5))
