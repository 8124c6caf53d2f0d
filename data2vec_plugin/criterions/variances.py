"""Variances of targets and predictions from sums over batches and ranks."""

from __future__ import annotations

import torch
from torch import Tensor


def deviation_from_sums(total: Tensor, squares: Tensor, count: int) -> Tensor:
    """`core.objective.loss.mean_deviation` from sums that may come from many batches and ranks: (C,), (C,), N -> ()."""
    if count < 2:
        return total.new_zeros(())
    total, squares = total.double(), squares.double()
    variance = (squares - total.square() / count).clamp_min(0) / (count - 1)
    return torch.sqrt(variance + 1e-6).mean().float()


def relative_deviation(total: Tensor, squares: Tensor, count: Tensor) -> float:
    """Standard deviation over rows relative to their RMS, over all channels, from sums; 0 if all rows are equal."""
    size = float(squares.double().sum())
    spread = size - float((total.double().square() / count.clamp_min(1)).sum())
    return (max(spread, 0.0) / size) ** 0.5 if size > 0 else 0.0


def unexplained_share(error_squares: Tensor, total: Tensor, squares: Tensor, count: int) -> float:
    """Squared error over all channels as a share of the targets' variance, from sums: (), (C,), (C,), N.

    Predicting each channel's mean gives 1; near 0 the targets are trivial. Constant targets give 1.
    """
    spread = float((squares.double() - total.double().square() / max(count, 1)).sum())
    return float(error_squares) / spread if spread > 0 else 1.0
