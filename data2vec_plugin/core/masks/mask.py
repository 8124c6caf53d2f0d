"""Which positions of a batch are hidden from the student."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..tracing import pytree


@pytree
@dataclass
class Mask:
    """Positions hidden from the student.

    ``indices`` (B, T) bool, upstream's name, is True where hidden; ``positions`` are the same as ascending flat indices
    into B·T (N,), so that no count has to be read from the device; ``channels`` (B, C) or (B, T, C) bool zeroes whole
    channels. If the student encodes visible tokens only, ``visible`` (B, V) int64 holds their positions in each row,
    ascending (followed by those encoded although hidden), and ``absent`` (B, V) bool is True after the last position of
    a row with fewer; None if all rows have V. An input may be masked in several copies, in consecutive rows.
    """

    indices: Tensor
    positions: Tensor
    channels: Optional[Tensor] = None
    visible: Optional[Tensor] = None
    absent: Optional[Tensor] = None

    @classmethod
    def of(cls, entries: Mapping[str, Tensor]) -> Mask:
        """The mask with the entries of :meth:`as_dict`; raises ValueError for other entries."""
        names = [field.name for field in fields(cls)]
        if set(entries) - set(names) or "indices" not in entries:
            raise ValueError(
                f"a mask has the entries {', '.join(f'`{name}`' for name in entries) or 'none'}; expected `indices`, "
                f"and, if there are any, {', '.join(f'`{name}`' for name in names[1:])}"
            )
        return cls.given(**entries)

    @classmethod
    def given(
        cls,
        indices: Tensor,
        positions: Optional[Tensor] = None,
        channels: Optional[Tensor] = None,
        visible: Optional[Tensor] = None,
        absent: Optional[Tensor] = None,
    ) -> Mask:
        """A mask given by a caller. Without ``positions`` they are computed, which synchronises with the device.

        Raises ValueError where ``positions`` are not those of ``indices``, as far as this is known without a
        synchronisation.
        """
        indices = indices.bool()
        if positions is None:
            positions = _flat_positions(indices)
        elif indices.device.type == positions.device.type == "cpu":
            _check_positions(positions.numpy(), np.flatnonzero(indices.numpy()))
        return cls(indices, positions, None if channels is None else channels.bool(), visible, absent)

    @classmethod
    def of_rows(cls, rows: NDArray[np.bool_]) -> Mask:
        """The mask of rows drawn by a masker: (B, T), True where hidden."""
        return cls(torch.from_numpy(rows), torch.from_numpy(np.flatnonzero(rows)))

    def as_dict(self) -> Dict[str, Tensor]:
        """The tensors by name, as a sample carries them: fairseq moves dicts to a device, but not this class."""
        entries = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: tensor for name, tensor in entries.items() if tensor is not None}

    def to(self, device: torch.device) -> Mask:
        """The mask on a device, copied without waiting."""
        return Mask(**{name: tensor.to(device, non_blocking=True) for name, tensor in self.as_dict().items()})

    def with_visible(self, sizes: Optional[Sequence[int]] = None, keep: float = 0.0) -> Mask:
        """The mask with the visible positions of rows of these unpadded ``sizes``; synchronises with the device.

        A share ``keep`` of the hidden positions is encoded too. Raises ValueError for a row of which nothing is
        visible.
        """
        hidden = gone = self.indices.cpu().numpy()
        if keep > 0:
            gone = gone & ~first_of(hidden, keep)
        if sizes is not None:
            gone = gone | (np.arange(gone.shape[1]) >= np.asarray(sizes)[:, None])
        visible, absent = visible_positions(gone, hidden)
        return replace(self, visible=torch.from_numpy(visible), absent=absent).to(self.indices.device)

    def in_source(self, copies: int) -> Tensor:
        """``positions`` (N,) as flat indices into the input, each row of which was masked ``copies`` times."""
        if copies == 1:
            return self.positions
        width = self.indices.size(1)
        return self.positions // (width * copies) * width + self.positions % width

    @property
    def count(self) -> int:
        """Number of masked positions, known without a device synchronisation."""
        return self.positions.numel()


def _flat_positions(indices: Tensor) -> Tensor:
    return indices.reshape(-1).nonzero().squeeze(1)


def _check_positions(positions: NDArray[np.int64], counted: NDArray[np.int64]) -> None:
    if not np.array_equal(positions, counted):
        raise ValueError(
            f"`positions` of a mask are {positions.size} ({positions.reshape(-1)[:5].tolist()}, …), but its `indices` "
            f"hide {counted.size} ({counted[:5].tolist()}, …); expected the ascending flat indices of the same"
        )


def visible_positions(gone: NDArray[np.bool_], hidden: NDArray[np.bool_]) -> Tuple[NDArray[np.int64], Optional[Tensor]]:
    """``visible`` (B, V) int64 and ``absent`` (B, V) bool or None of what is not ``gone`` (B, T), the hidden last."""
    counts = (~gone).sum(1)
    if len(gone) and counts.min() == 0:
        row = int(counts.argmin())
        raise ValueError(
            f"the mask leaves nothing visible in row {row} of {len(gone)}, which has {gone.shape[1]} positions; "
            "expected at least one: lower the masked share, or leave out such short rows"
        )
    most = int(counts.max(initial=0))
    absent = np.arange(most) >= counts[:, None]
    visible = np.where(absent, 0, np.argsort(2 * gone + hidden, axis=1, kind="stable")[:, :most])
    return visible, torch.from_numpy(absent) if absent.any() else None


def first_of(hidden: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """The first ``share`` of the hidden positions of each row, (B, T)."""
    wanted = np.rint(hidden.sum(1, keepdims=True) * share)
    chosen: NDArray[np.bool_] = hidden & (hidden.cumsum(1) <= wanted)
    return chosen
