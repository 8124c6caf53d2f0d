"""The terms of the loss. Each is made of the mask, the predictions and the teacher's signals.

A model holds a list of them. v1 has one, the regression of section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Protocol

from torch import Tensor

from .config import LossConfig, TargetConfig
from .loss import regression_loss
from .outputs import Mask, Scored
from .targets import average_targets, rows_suffice


@dataclass
class Step:
    """What a term is made of: ``signals`` of the teacher, lowest layer first, each (B, T, C) or (N, C)."""

    mask: Mask
    predictions: Tensor
    signals: List[Tensor]
    padding_mask: Optional[Tensor] = None


class Term(Protocol):
    """One part of the loss, logged by its ``name``.

    It reads a ``signal`` of the teacher's ``top_k`` layers, at masked positions only where ``rows_suffice``.
    """

    name: str
    signal: str
    top_k: int
    rows_suffice: bool

    def __call__(self, step: Step) -> Scored:
        """Score one step."""


class Regression:
    """Smooth L1 between predictions and the average of the teacher's top K normalised signals."""

    def __init__(self, targets: TargetConfig, loss: LossConfig, name: str = "regression") -> None:
        self.name = name
        self.config = targets
        self.loss = loss
        self.signal = targets.signal
        self.top_k = targets.top_k
        self.rows_suffice = rows_suffice(targets)

    def __call__(self, step: Step) -> Scored:
        """(N, C) predictions -> their loss, in fp32."""
        targets = self.targets(step)
        loss = regression_loss(step.predictions, targets, self.loss.beta, self.loss.scale)
        return Scored(loss, step.mask.count, step.predictions, targets)

    def targets(self, step: Step) -> Tensor:
        """(N, C) in fp32; statistics leave padding out."""
        return average_targets(step.signals, self.config, step.mask.positions, step.padding_mask)
