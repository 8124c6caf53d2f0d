"""Evaluates the average of a model's weights, which ``ema.store_ema`` stores in checkpoints.

fairseq stores it and passes it to tasks on request, but evaluates the last weights. Here a task validates the average,
and `fairseq-validate` loads the weights that validation during training used. Resuming and fine-tuning load the weights
themselves.
"""

from __future__ import annotations

import logging
from typing import Any, MutableMapping, Optional

logger = logging.getLogger(__name__)

KEY = "evaluate_ema"
"""Key of a task's configuration, where it has one."""


class EvaluatesAverage:
    """Mixed in before a task whose configuration has ``evaluate_ema``: validation scores the average, if any."""

    cfg: Any

    @property
    def uses_ema(self) -> bool:
        """Whether fairseq's trainer passes the averaged model to the task."""
        return bool(getattr(self.cfg, KEY))

    def train_step(self, *args: Any, ema_model: Optional[Any] = None, **kwargs: Any) -> Any:
        """fairseq's own; the average has no part in training."""
        return super().train_step(*args, **kwargs)  # type: ignore[misc]

    def valid_step(self, sample: Any, model: Any, criterion: Any, ema_model: Optional[Any] = None) -> Any:
        """fairseq's own, on the averaged model if the trainer passes one."""
        return super().valid_step(sample, model if ema_model is None else ema_model, criterion)  # type: ignore[misc]


def take_average(path: str, state: MutableMapping[str, Any]) -> None:
    """Replace the last weights by the averaged ones, in place, if the checkpoint's task evaluates them."""
    task = (state.get("cfg") or {}).get("task") or {}
    average = (state.get("extra_state") or {}).get("ema")
    if average and KEY in task and task[KEY]:
        logger.info(f"{path}: loading the average of its weights (`task.{KEY}`)")
        state["model"] = average
