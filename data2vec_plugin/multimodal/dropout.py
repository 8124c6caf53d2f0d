"""Cheap dropout of attention weights: on a CPU, torch's costs as much as the attention itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DRAWS = 4
"""Draws of 16 bits in one number of 64 bits."""


def dropped(weights: Tensor, share: float) -> Tensor:
    """Weights after dropout of a ``share``, the others scaled up."""
    if weights.is_cuda:
        return F.dropout(weights, share)
    return weights * kept(weights, share).div_(1 - share)


def kept(like: Tensor, share: float) -> Tensor:
    """The mask of dropout on a CPU, 1 or 0: four values per draw, since drawing is most of the cost.

    ``share`` is rounded to a 65,536th.
    """
    numbers = torch.empty(-(-like.numel() // DRAWS), dtype=torch.int64).random_(-(2**63), None)
    left = numbers.view(torch.int16)[: like.numel()] >= round(share * 2**16) - 2**15
    return left.view_as(like).to(like.dtype)
