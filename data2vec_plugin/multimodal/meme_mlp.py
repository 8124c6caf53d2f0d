"""The published classifier of memes ("Hate Speech in Pixels", 2019): an MLP on two concatenated vectors."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

HIDDEN, DROPOUT = 100, 0.2


class ScoreMLP(nn.Sequential):
    """``dim`` channels -> one number without activation: two hidden layers with ReLU, dropout after the first.

    Its weights are named 0, 3 and 5, as in the released checkpoints' `classifier`.
    """

    def __init__(self, dim: int, hidden: int = HIDDEN, dropout: float = DROPOUT) -> None:
        first = (nn.Linear(dim, hidden), nn.ReLU(), nn.Dropout(dropout))
        super().__init__(*first, nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, ``dim``) -> scores (B,)."""
        scores: Tensor = super().forward(features).squeeze(-1)
        return scores


class Standardizer(nn.Module):
    """Standardises channels by the mean and deviation of a training set; the identity until these are set."""

    mean: Tensor
    deviation: Tensor
    told: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("deviation", torch.ones(dim))
        self.register_buffer("told", torch.zeros(()))

    def follow(self, features: Tensor) -> None:
        """Set mean and deviation from a set's features (N, ``dim``); a constant channel gets deviation 1."""
        values = features.double()
        deviation = values.std(0, correction=0)
        self.mean.copy_(values.mean(0))
        self.deviation.copy_(torch.where(deviation > 1e-6, deviation, torch.ones_like(deviation)))
        self.told.fill_(1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (B, ``dim``), standardised."""
        return (features - self.mean) / self.deviation


def masked_mean(states: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
    """Mean (B, C) of token vectors (B, T, C) without those that are padding, True in (B, T)."""
    if padding_mask is None:
        return states.mean(1)
    real = (~padding_mask).unsqueeze(-1)
    return states.masked_fill(~real, 0).sum(1) / real.sum(1).clamp_min(1)
