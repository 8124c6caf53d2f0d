"""Empty batches: all of their files were left out, or a process has no batch left."""

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
        """fairseq's step, which ignores the gradient of a stand-in; its logged numbers are set to zero here."""
        output: StepOutput = super().train_step(sample, *args, **kwargs)  # type: ignore[misc]
        return uncounted(output) if STAND_IN in sample else output

    def valid_step(self, sample: Any, *args: Any, **kwargs: Any) -> StepOutput:
        """fairseq's step; the numbers of empty batches and stand-ins are zero."""
        if not sample:
            return torch.zeros(()), 0, {"loss": 0, "ntokens": 0, "nsentences": 0, "sample_size": 0}
        output: StepOutput = super().valid_step(sample, *args, **kwargs)  # type: ignore[misc]
        return uncounted(output) if STAND_IN in sample else output

    def reduce_metrics(self, logging_outputs: List[Dict[str, Any]], criterion: Any) -> None:
        """Reduce the logs of non-empty batches only, since criterions divide by their size."""
        counted = [log for log in logging_outputs if log.get("sample_size", 1)]
        if counted:
            super().reduce_metrics(counted, criterion)  # type: ignore[misc]
        else:  # without any entry, fairseq would log -1 and count it
            metrics.log_scalar("loss", None, 0, round=3)


def uncounted(output: StepOutput) -> StepOutput:
    """Set all numbers to zero; keys and types stay, since processes add up their logs key by key."""
    loss, sample_size, log = output
    return _nothing(loss), _nothing(sample_size), {key: _nothing(value) for key, value in log.items()}


def _nothing(value: Any) -> Any:
    return torch.zeros_like(value) if torch.is_tensor(value) else type(value)()
