"""Targets: the average of the teacher's top-K normalised layer signals (section 3.3).

Every normalisation is "subtract the mean, divide by the deviation" over some axes of (B, T, C);
they differ only in the axes. Statistics over time or batch exclude padded positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..config import TargetConfig
from ..outputs import if_whole

Axes = Tuple[int, ...]
BATCH_AND_TIME: Axes = (0, 1)
TIME: Axes = (1,)
TIME_AND_CHANNEL: Axes = (1, 2)
CHANNEL: Axes = (2,)
EPS = 1e-5


@dataclass(frozen=True)
class _Rows:
    """The masked positions of a (B, T, C) batch as flat indices (N,) into B·T."""

    flat: Tensor
    width: int

    def take(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (N, C), also where B, T or C is a broadcast 1."""
        batch = self.flat // self.width if x.size(0) > 1 else torch.zeros_like(self.flat)
        time = self.flat % self.width if x.size(1) > 1 else torch.zeros_like(self.flat)
        return x[batch, time]


def average_targets(
    signals: Sequence[Tensor],
    config: TargetConfig,
    positions: Tensor,
    padding_mask: Optional[Tensor] = None,
) -> Tensor:
    """Regression targets at the masked positions.

    ``signals`` are the recorded layers, lowest first, each (B, T, C), of which the last ``top_k`` are averaged; if
    :func:`rows_suffice`, they may be (N, C), at masked positions only; ``positions`` (N,) are flat indices into B·T;
    ``padding_mask`` (B, T) is True where padded. Returns (N, C) in fp32.
    """
    per_layer, averaged = normalisation_axes(config)
    if rows_suffice(config):
        rows_only = [_normalise_rows(if_whole(x, positions).float(), per_layer) for x in signals[-config.top_k :]]
        return _normalise_rows(mean_of(rows_only), averaged)
    rows = _Rows(positions, signals[0].size(1))
    # after the last statistic over time, only the masked rows are computed
    layers_rows_only = all(axes == CHANNEL for axes in averaged)
    layers = [
        _normalised(signal.float(), per_layer, padding_mask, rows if layers_rows_only else None)
        for signal in signals[-config.top_k :]
    ]
    average = mean_of(layers)
    if layers_rows_only:
        return _normalise_rows(average, averaged)
    return _normalised(average, averaged, padding_mask, rows)


def whole_targets(signals: Sequence[Tensor], config: TargetConfig, padding_mask: Optional[Tensor] = None) -> Tensor:
    """Targets at all positions: (B, T, C) in fp32."""
    per_layer, averaged = normalisation_axes(config)
    layers = [_normalised(signal.float(), per_layer, padding_mask) for signal in signals[-config.top_k :]]
    return _normalised(mean_of(layers), averaged, padding_mask)


def rows_suffice(config: TargetConfig) -> bool:
    """Whether all statistics run over channels only, so that the masked positions are enough."""
    per_layer, averaged = normalisation_axes(config)
    return all(axes == CHANNEL for axes in per_layer + averaged)


def mean_of(layers: Sequence[Tensor]) -> Tensor:
    """The average of tensors of one shape."""
    return torch.stack(list(layers)).mean(0) if len(layers) > 1 else layers[0]


def normalisation_axes(config: TargetConfig) -> Tuple[List[Axes], List[Axes]]:
    """Axes of the per-layer normalisations and of those after averaging, in the order of application.

    The reference's speech model holds (T, B, C) unless batch or instance norm transposed it, so its group norm and its
    averaged instance norm run over the batch; ``reference_axes`` reproduces this.
    """
    swapped_axes = config.reference_axes and not (config.batch_norm or config.instance_norm)
    group: Axes = (0, 2) if swapped_axes else TIME_AND_CHANNEL
    instance_average: Axes = (0,) if swapped_axes else TIME
    per_layer: Dict[Axes, bool] = {
        BATCH_AND_TIME: config.batch_norm,
        TIME: config.instance_norm,
        group: config.group_norm,
        CHANNEL: config.layer_norm,
    }
    averaged: Dict[Axes, bool] = {
        CHANNEL: config.layer_norm_average,
        instance_average: config.instance_norm_average,
    }
    return [axes for axes, wanted in per_layer.items() if wanted], [axes for axes, wanted in averaged.items() if wanted]


def _normalised(
    x: Tensor, axes_list: Sequence[Axes], padding_mask: Optional[Tensor], rows: Optional[_Rows] = None
) -> Tensor:
    """Normalise (B, T, C) over each of ``axes_list``; with ``rows`` return (N, C), gathered as early as possible.

    Only pass ``rows`` if some statistic runs over time or batch; otherwise gather (N, C) before normalising.
    """
    last_full = max((i for i, axes in enumerate(axes_list) if axes != CHANNEL), default=-1)
    for i, axes in enumerate(axes_list):
        mean, deviation = moments(x, axes, padding_mask)
        if rows is not None and i == last_full:
            taken = (rows.take(x) - rows.take(mean)) / rows.take(deviation)
            return _normalise_rows(taken, axes_list[i + 1 :])
        x = (x - mean) / deviation
    return x


def _normalise_rows(rows: Tensor, axes_list: Sequence[Axes]) -> Tensor:
    """Layer-normalise (N, C) once for every entry: only statistics over channels remain at this point."""
    for _ in axes_list:
        rows = torch.nn.functional.layer_norm(rows, rows.shape[-1:], eps=EPS)
    return rows


def moments(x: Tensor, axes: Axes, padding_mask: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
    """Mean and deviation, sqrt(variance + eps), of (B, T, C) over ``axes`` (kept as size 1).

    Statistics over batch or time exclude padded positions.
    """
    if padding_mask is None or axes == CHANNEL:
        variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
        return mean, torch.sqrt(variance + EPS)
    weight = (~padding_mask).unsqueeze(-1).to(x.dtype).expand_as(x)
    count = weight.sum(axes, keepdim=True).clamp_min(1)
    mean = (x * weight).sum(axes, keepdim=True) / count
    variance = ((x - mean).square() * weight).sum(axes, keepdim=True) / count
    return mean, torch.sqrt(variance + EPS)
