"""The terms of the loss, each computed from the mask, the predictions and the teacher's signals.

A model holds a list of them. data2vec 1 has one, the regression of section 3.3; data2vec 2.0 adds the utterance loss
(section 3.2 of its paper).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Protocol, Tuple

from torch import Tensor

from ..config import LossConfig, TargetConfig
from ..masks.mask import Mask
from ..outputs import EncoderOutput, Scored, at_rows
from .loss import loss_scale, regression_loss
from .targets import average_targets, rows_suffice, whole_targets


@dataclass
class Step:
    """The inputs of a term: ``signals`` of the teacher, lowest layer first, each (B, T, C) or (N, C).

    Each input was masked ``copies`` times. ``outputs`` are the predictor's, ``student`` is its input, ``source`` the
    input of the student's embedder. ``kept`` holds the targets that several terms share.
    """

    mask: Mask
    outputs: Tuple[Tensor, ...]
    signals: List[Tensor]
    padding_mask: Optional[Tensor] = None
    copies: int = 1
    student: Optional[EncoderOutput] = None
    source: Optional[Tensor] = None
    kept: Dict[Any, Tensor] = field(default_factory=dict)

    @property
    def predictions(self) -> Tensor:
        """The first of the predictor's outputs, (N, C)."""
        return self.outputs[0]


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


class Average:
    """Targets: the average of the teacher's top K normalised signals, computed once per step for all terms that share
    it.

    ``whole`` rows are computed if a term needs more than the masked positions, or if an input has more than one
    mask.
    """

    def __init__(self, config: TargetConfig, whole: bool = False) -> None:
        self.config = config
        self.whole = whole

    def at_masked(self, step: Step) -> Tensor:
        """(N, C) in fp32; statistics exclude padding."""
        if not self.whole and step.copies == 1:
            return average_targets(step.signals, self.config, step.mask.positions, self.padding(step))
        return at_rows(self.of_all(step), step.mask.in_source(step.copies))

    def of_all(self, step: Step) -> Tensor:
        """(B, T, C) in fp32."""
        if self not in step.kept:
            step.kept[self] = whole_targets(step.signals, self.config, self.padding(step))
        return step.kept[self]

    def padding(self, step: Step) -> Optional[Tensor]:
        """The positions that statistics exclude, (B, T)."""
        return step.padding_mask


class Regression:
    """Smooth L1 between predictions and the average of the teacher's top K normalised signals.

    ``output`` is the index of the predictor's output; terms may share an ``average``.
    """

    def __init__(
        self,
        targets: TargetConfig,
        loss: LossConfig,
        name: str = "regression",
        average: Optional[Average] = None,
        output: int = 0,
    ) -> None:
        self.name = name
        self.average = Average(targets) if average is None else average
        self.loss = loss
        self.output = output
        self.signal = targets.signal
        self.top_k = targets.top_k
        self.rows_suffice = rows_suffice(targets) and not self.average.whole

    def __call__(self, step: Step) -> Scored:
        """(N, C) predictions -> their loss, in fp32."""
        targets, predictions = self.targets(step), step.outputs[self.output]
        return Scored(self.score(predictions, targets), step.mask.count, predictions, targets)

    def score(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The summed loss of (N, C), weighted."""
        scale = loss_scale(predictions.size(-1), self.loss.scale) * self.loss.weight
        return regression_loss(predictions, targets, self.loss.beta, scale)

    def targets(self, step: Step) -> Tensor:
        """(N, C) in fp32."""
        return self.average.at_masked(step)


class Utterance(Regression):
    """The output of the last extra token regresses the mean of the targets over the full input (upstream: CLS loss).

    The loss is the mean over rows times the number of masked positions, since all terms are divided by that number in
    the end.
    """

    def __call__(self, step: Step) -> Scored:
        """(R, C) tokens -> their loss, in fp32."""
        token, targets = self.token(step), self.targets(step)
        loss = self.score(token, targets) * (step.mask.count / self.divisor(token))
        return Scored(loss, token.size(0), token, targets)

    def token(self, step: Step) -> Tensor:
        """(R, C)."""
        extra = None if step.student is None else step.student.extra
        if extra is None:
            raise ValueError(f"the term `{self.name}` reads an extra token, but the encoder has none")
        return extra[:, -1]

    def targets(self, step: Step) -> Tensor:
        """(R, C) in fp32, without what is padded."""
        whole, padding_mask = self.average.of_all(step), self.average.padding(step)
        if padding_mask is None:
            mean = whole.mean(1)
        else:
            real = (~padding_mask).unsqueeze(-1)
            mean = (whole * real).sum(1) / real.sum(1).clamp_min(1)
        return mean.repeat_interleave(step.copies, 0)

    def divisor(self, token: Tensor) -> int:
        """The number of rows by which the loss is divided."""
        return token.size(0)
