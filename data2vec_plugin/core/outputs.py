"""What travels between the steps of the method. B batch, T positions, C channels, N masked positions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Optional

import torch
from torch import Tensor


@dataclass
class Tokens:
    """Embedded input, before any mask: ``x`` (B, T, C), ``padding_mask`` (B, T) True where padded, or None."""

    x: Tensor
    padding_mask: Optional[Tensor] = None

    def led_by(self, extra: Tensor) -> Tokens:
        """The same with the tokens ``extra`` (1, E, C) in front of every row."""
        rows, count = len(self.x), extra.size(1)
        x = torch.cat([extra.to(self.x.dtype).expand(rows, -1, -1), self.x], dim=1)
        mask = self.padding_mask
        return Tokens(x, mask if mask is None else torch.cat([mask.new_zeros(rows, count), mask], dim=1))


@dataclass
class Mask:
    """Positions hidden from the student.

    ``indices`` is (B, T) bool; ``positions`` are the same as ascending flat indices into B·T (N,), so that
    nothing has to be counted on the device; ``channels`` (B, C) or (B, T, C) bool zeroes whole channels.
    """

    indices: Tensor
    positions: Tensor
    channels: Optional[Tensor] = None

    @property
    def count(self) -> int:
        """Number of masked positions, known without a device synchronisation."""
        return self.positions.numel()


def at_rows(x: Tensor, rows: Optional[Tensor]) -> Tensor:
    """(B, T, C) -> (N, C) at the flat positions ``rows`` (N,) of B·T; all of it if there are none."""
    return x if rows is None else x.reshape(-1, x.size(-1)).index_select(0, rows)


def if_whole(x: Tensor, rows: Optional[Tensor]) -> Tensor:
    """What is wanted of (B, T, C); (N, C) is that already."""
    return at_rows(x, rows) if x.dim() == 3 else x


@dataclass
class EncoderOutput:
    """``x`` (B, T, C) and, for each layer that was asked for, its signals by name, each (B, T, C).

    Both are (N, C) where rows were asked for. ``entered`` (B, T, C) is what the first layer read.
    """

    x: Tensor
    padding_mask: Optional[Tensor] = None
    layers: List[Dict[str, Tensor]] = field(default_factory=list)
    entered: Optional[Tensor] = None

    def __getitem__(self, index: int) -> Tensor:
        """``x`` at 0: torch's old backward hooks, fairseq's search for NaN, look for a module's first tensor so."""
        return (self.x,)[index]

    def signal(self, name: str) -> List[Tensor]:
        """The named signal of every recorded layer, lowest layer first."""
        return [layer[name] for layer in self.layers]

    def without_first(self, count: int) -> EncoderOutput:
        """The same without the first ``count`` tokens of every row, in the output and in every signal."""
        return EncoderOutput(
            self.x[:, count:],
            None if self.padding_mask is None else self.padding_mask[:, count:],
            [{name: signal[:, count:] for name, signal in layer.items()} for layer in self.layers],
            None if self.entered is None else self.entered[:, count:],
        )


@dataclass
class Data2VecOutput:
    """One pre-training step: ``loss`` summed over N rows, scale included; ``predictions``, ``targets`` (N, C)."""

    loss: Tensor
    predictions: Tensor
    targets: Tensor
    mask: Mask

    @property
    def sample_size(self) -> int:
        """Number of regressed positions, by which the trainer divides the gradient."""
        return self.mask.count
