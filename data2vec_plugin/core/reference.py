"""What the reference implementation does otherwise, as parts that stand in the place of ours (`reference_compat`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from .config import Data2VecConfig
from .masks.masking import BatchMasker, SpanMasker
from .terms import Regression, Step


class ReferenceRegression(Regression):
    """Statistics of the targets run over padding too."""

    def targets(self, step: Step) -> Tensor:
        """(N, C) in fp32."""
        return super().targets(replace(step, padding_mask=None))


class Unused(nn.Module):
    """A prediction head that is made, saved and passed by: its input is compared with the targets."""

    def __init__(self, head: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = head.weight, head.bias
        self.requires_grad_(False)  # DistributedDataParallel waits for every gradient it was promised

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) -> the same."""
        return x


def regression(config: Data2VecConfig, **options: Any) -> Regression:
    """The term of v1, ours or the reference's."""
    kind = ReferenceRegression if config.reference_compat else Regression
    return kind(config.targets, config.loss, **options)


def span_masks(config: Data2VecConfig) -> BatchMasker:
    """Spans of time, and of channels where they are configured; the reference trims rows to the smallest count."""
    channels = SpanMasker(config.channel_mask) if config.channel_mask.prob > 0 else None
    return BatchMasker(SpanMasker(config.mask, config.reference_compat), channels, config.transformer.dim)
