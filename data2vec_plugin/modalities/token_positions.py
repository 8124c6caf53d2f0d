"""Absolute positions of tokens. Numbers begin after the padding symbol's id, which padded positions keep."""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def position_ids(source: Tensor, padding_mask: Optional[Tensor], pad: int) -> Tensor:
    """Position numbers of ids (B, T): those of the tokens count on over padding -> (B, T), or (1, T) without any.

    >>> position_ids(torch.tensor([[5, 6, 1]]), torch.tensor([[False, False, True]]), pad=1)
    tensor([[2, 3, 1]])
    """
    if padding_mask is None:
        return torch.arange(pad + 1, pad + 1 + source.size(1), device=source.device).unsqueeze(0)
    real = (~padding_mask).long()
    return real.cumsum(1) * real + pad


class LearnedPositions(nn.Embedding):
    """One vector for each of ``max_positions`` numbers, and a zero one for padding."""

    def __init__(self, max_positions: int, dim: int, pad: int) -> None:
        super().__init__(max_positions + pad + 1, dim, pad)


class SinusoidalPositions(nn.Module):
    """The fixed table of the first Transformer, sines in the first half of the channels, cosines in the second."""

    table: Tensor

    def __init__(self, max_positions: int, dim: int, pad: int) -> None:
        super().__init__()
        self.register_buffer("table", sinusoids(max_positions + pad + 1, dim, pad), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Position numbers (B, T) -> (B, T, C)."""
        return F.embedding(ids, self.table)


def sinusoids(count: int, dim: int, pad: Optional[int] = None) -> Tensor:
    """(``count``, ``dim``): wavelengths from 2π to 10,000 · 2π; the row of ``pad`` is zero."""
    half = dim // 2
    rates = torch.exp(torch.arange(half, dtype=torch.float32) * (-math.log(10_000) / max(half - 1, 1)))
    angles = torch.arange(count, dtype=torch.float32).unsqueeze(1) * rates
    table = torch.cat([angles.sin(), angles.cos()], dim=1)
    table = F.pad(table, (0, dim - table.size(1)))
    if pad is not None:
        table[pad] = 0
    return table
