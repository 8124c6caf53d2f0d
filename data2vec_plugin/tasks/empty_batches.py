"""Batches that hold nothing, because all their files were left out, or because a process has no batch left."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import torch
from fairseq import metrics

from ..data.resumable import STAND_IN

StepOutput = Tuple[Any, Any, Dict[str, Any]]


class EmptyBatches:
    """A mixin for fairseq tasks whose batches may be empty: empty batches are not counted.

    fairseq's trainer replaces them by a dummy batch, whose loss and accuracy a single process would count.
    `fairseq-validate` passes them on unchanged.
    """

    def train_step(self, sample: Any, *args: Any, **kwargs: Any) -> StepOutput:
        """fairseq's own, which ignores a stand-in's gradient; its numbers are dropped here."""
        output: StepOutput = super().train_step(sample, *args, **kwargs)  # type: ignore[misc]
        return uncounted(output) if STAND_IN in sample else output

    def valid_step(self, sample: Any, *args: Any, **kwargs: Any) -> StepOutput:
        """fairseq's own; an empty batch has no loss, and a stand-in none that counts."""
        if not sample:
            return torch.zeros(()), 0, {"loss": 0, "ntokens": 0, "nsentences": 0, "sample_size": 0}
        output: StepOutput = super().valid_step(sample, *args, **kwargs)  # type: ignore[misc]
        return uncounted(output) if STAND_IN in sample else output

    def reduce_metrics(self, logging_outputs: List[Dict[str, Any]], criterion: Any) -> None:
        """fairseq's own, of the batches that count: criterions divide by their size."""
        counted = [log for log in logging_outputs if log.get("sample_size", 1)]
        if counted:
            super().reduce_metrics(counted, criterion)  # type: ignore[misc]
        else:  # an entry without a value: if there is none, fairseq logs -1, and counts it
            metrics.log_scalar("loss", None, 0, round=3)


def uncounted(output: StepOutput) -> StepOutput:
    """The same with nothing in it; all keys and types stay, since processes add up their logs key by key."""
    loss, sample_size, log = output
    return _nothing(loss), _nothing(sample_size), {key: _nothing(value) for key, value in log.items()}


def _nothing(value: Any) -> Any:
    return torch.zeros_like(value) if torch.is_tensor(value) else type(value)()
