"""A mask as it travels from the loader to the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from data2vec_plugin.core.masks.mask import Mask

INDICES = torch.tensor([[True, False, True], [False, False, True]])
POSITIONS = torch.tensor([0, 2, 5])


def test_a_mask_is_what_its_entries_say() -> None:
    channels = torch.tensor([[True, False]])
    for mask in (Mask.given(INDICES, POSITIONS), Mask.given(INDICES.long(), channels=channels.long())):
        again = Mask.of(mask.as_dict())
        assert torch.equal(again.indices, INDICES)
        assert again.indices.dtype == torch.bool
        assert torch.equal(again.positions, POSITIONS)
        assert again.count == 3
        assert (again.channels is None) == (mask.channels is None)
    assert torch.equal(again.channels, channels)
    assert torch.equal(Mask.of_rows(INDICES.numpy()).positions, POSITIONS)


@pytest.mark.parametrize(
    "positions",
    [torch.tensor([0, 2]), torch.tensor([0, 2, 4]), torch.tensor([5, 2, 0]), torch.tensor([[0, 2, 5]])],
    ids=["fewer", "others", "another order", "not flat"],
)
def test_positions_that_are_not_those_of_the_indices_are_refused(positions: Tensor) -> None:
    with pytest.raises(ValueError, match=r"`positions` of a mask are .* its `indices` hide 3 \(\[0, 2, 5\], …\)"):
        Mask.given(INDICES, positions)
    with pytest.raises(ValueError, match="`positions` of a mask"):
        Mask.of({"indices": INDICES, "positions": positions})


@pytest.mark.parametrize("entries", [{}, {"positions": POSITIONS}, {"indices": INDICES, "indexes": POSITIONS}])
def test_other_entries_are_no_mask(entries: Any) -> None:
    with pytest.raises(ValueError, match=r"a mask has the entries .*; expected `indices`, and, if there are any"):
        Mask.of(entries)
