"""The regression loss, and the deviations that show whether training has collapsed."""

from __future__ import annotations

import math
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor


def regression_loss(predictions: Tensor, targets: Tensor, beta: float = 0.0, scale: Optional[float] = None) -> Tensor:
    """Smooth L1 between (N, C) tensors, computed in fp32 and summed to a scalar (section 3.3).

    ``beta`` 0 is the squared error; ``scale`` None is 1/sqrt(C).

    >>> regression_loss(torch.zeros(1, 4), torch.ones(1, 4))
    tensor(2.)
    """
    return regression_rows(predictions, targets, beta).sum() * loss_scale(predictions.size(-1), scale)


def regression_rows(predictions: Tensor, targets: Tensor, beta: float = 0.0) -> Tensor:
    """Unscaled loss of every masked position, summed over channels: (N, C), (N, C) -> (N,)."""
    predictions, targets = predictions.float(), targets.float()
    if beta == 0:
        return F.mse_loss(predictions, targets, reduction="none").sum(-1)
    return F.smooth_l1_loss(predictions, targets, reduction="none", beta=beta).sum(-1)


def loss_scale(channels: int, scale: Optional[float]) -> float:
    """The factor on the summed loss: ``scale``, or 1/sqrt(channels) if it is None."""
    return 1 / math.sqrt(channels) if scale is None else scale


def mean_deviation(rows: Tensor) -> Tensor:
    """Mean over channels of the unbiased standard deviation over rows: (N, C) -> (). 0 for fewer than two rows."""
    if rows.size(0) < 2:
        return rows.new_zeros((), dtype=torch.float32)
    return torch.sqrt(rows.float().var(0) + 1e-6).mean()
