"""Attention with linear biases (Press et al., 2022) on a line or a square grid, symmetric, its scale learned or not.

data2vec 2.0 uses it for speech (section 3.4 of its paper): distant tokens get less attention, to a degree that differs
by head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import List, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import SettingError
from ..outputs import Tokens
from .order import Biases, Positions

DISTANCES = ("manhattan", "euclidean")


@dataclass(frozen=True)
class AlibiConfig:
    """``heads`` of which the first ``biased`` have a slope; positions on a line, or on a grid with ``columns``.

    The ``scale`` of all slopes may be ``learned``: one value, or one ``per_head``, or one for each of ``layers``. With
    ``longest``, there is instead a learned value for each pair of that many positions, initialised by the slopes.
    """

    heads: int
    biased: int
    columns: Optional[int] = None
    distance: str = "manhattan"
    scale: float = 1.0
    learned: bool = False
    per_head: bool = False
    layers: int = 1
    longest: Optional[int] = None

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise SettingError("distance", repr(self.distance), f"one of {', '.join(DISTANCES)}")
        if not 0 < self.biased <= self.heads:
            raise SettingError("biased", self.biased, f"1 to {self.heads}, which is how many `heads` there are")


class Alibi(nn.Module):
    """Attention biases by the distance of two tokens; extra tokens have none."""

    slopes: Tensor

    def __init__(self, config: AlibiConfig) -> None:
        super().__init__()
        self.config = config
        shape = (config.layers, 1, config.biased if config.per_head else 1, 1, 1)
        self.alibi_scale = nn.Parameter(torch.full(shape, config.scale), requires_grad=config.learned)
        slopes = -torch.tensor(head_slopes(config.biased)).view(-1, 1, 1)
        self.register_buffer("slopes", slopes, persistent=False)
        self.alibi_bias: Optional[nn.Parameter] = None
        if config.longest is not None:
            places = torch.arange(config.longest).unsqueeze(0)
            self.alibi_bias = nn.Parameter(self.slopes * self.distances(places).unsqueeze(1))

    def forward(self, tokens: Tokens) -> Biases:
        """(R or 1, H, E + V, E + V) in fp32: one for all layers, or one for each."""
        scale = self.alibi_scale.float().clamp_min(0)
        apart, weights = self.apart(tokens), scale if self.alibi_bias is not None else scale * self.slopes
        unbiased = self.config.heads - self.config.biased
        if unbiased:
            weights = F.pad(weights.expand(-1, -1, self.config.biased, -1, -1), (0, 0, 0, 0, 0, unbiased))
            apart = apart if apart.size(1) == 1 else F.pad(apart, (0, 0, 0, 0, 0, unbiased))
        if tokens.extra:
            apart = F.pad(apart, (tokens.extra, 0, tokens.extra, 0))
        return [apart * of_layer for of_layer in weights]

    def apart(self, tokens: Tokens) -> Tensor:
        """Distances of tokens (R or 1, 1, V, V), or the learned biases (R or 1, H, V, V)."""
        count, order = tokens.x.size(1) - tokens.extra, tokens.order
        if order is None:
            order = torch.arange(count, device=tokens.x.device).unsqueeze(0)
        if self.alibi_bias is None:
            return self.distances(order).unsqueeze(1)
        return self.alibi_bias[0][:, order.unsqueeze(2), order.unsqueeze(1)].transpose(0, 1)

    def check_reach(self, count: int) -> None:
        """Raise ValueError for more tokens, hidden ones included, than there are learned values for."""
        if self.alibi_bias is not None and count > self.alibi_bias.size(-1):
            raise ValueError(
                f"there are {count} tokens, but this model learned attention biases for {self.alibi_bias.size(-1)} "
                "positions: use shorter inputs, or train with a larger `alibi_max_pos`"
            )

    def distances(self, order: Tensor) -> Tensor:
        """Distances between positions: (R, V) -> (R, V, V)."""
        columns = self.config.columns
        along = (order,) if columns is None else (order // columns, order % columns)
        apart = [(places.unsqueeze(2) - places.unsqueeze(1)).abs() for places in along]
        if len(apart) == 1:
            return apart[0]
        down, right = apart
        return down + right if self.config.distance == "manhattan" else torch.hypot(down.float(), right.float())


class AlibiPositions(nn.Module):
    """Another kind of positions, ``signal``, together with ALiBi's attention biases."""

    signal: Positions
    alibi: Optional[Alibi]

    def __init__(self, signal: nn.Module, alibi: Optional[Alibi] = None) -> None:
        super().__init__()
        self.signal = signal  # type: ignore[assignment]
        self.alibi = alibi

    def added(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """Tokens with the signal: (B, T, C) -> (B, T, C); raises ValueError for more tokens than biases were learned
        for."""
        if self.alibi is not None:
            self.alibi.check_reach(x.size(1))
        return self.signal.added(x, padding_mask)

    def biases(self, tokens: Tokens, layers: Sequence[nn.Module]) -> Biases:
        """The biases of ALiBi, if there are any."""
        return (None,) if self.alibi is None else self.alibi(tokens)


def head_slopes(heads: int) -> List[float]:
    """The slope of each head: 2^(-8 (h + 1) / n) for n heads, a power of two.

    For another number, those of the next power below, then every other of the next above.

    >>> head_slopes(2), head_slopes(3)
    ([0.0625, 0.00390625], [0.0625, 0.00390625, 0.25])
    """
    below = 2 ** int(math.log2(heads))
    slopes = [2 ** (-8 * (head + 1) / below) for head in range(below)]
    return slopes + head_slopes(2 * below)[::2][: heads - below] if below < heads else slopes
