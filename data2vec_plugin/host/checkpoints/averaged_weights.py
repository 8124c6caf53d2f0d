"""The average of a model's weights, which ``ema.store_ema`` keeps in checkpoints, is what is evaluated.

fairseq keeps it, hands it to tasks that ask for it, and evaluates the last weights all the same. Here a task validates
the average, and `fairseq-validate` loads what training's validation scored.
"""

from __future__ import annotations

import functools
import logging
from contextvars import ContextVar
from types import ModuleType
from typing import Any, MutableMapping, Optional

logger = logging.getLogger(__name__)

KEY = "evaluate_ema"
"""Of a task's configuration, where it has one."""

_evaluating = ContextVar("evaluating", default=False)


class EvaluatesAverage:
    """Mixed in before a task whose configuration has ``evaluate_ema``: validation scores the average, if there is."""

    cfg: Any

    @property
    def uses_ema(self) -> bool:
        """Asks fairseq's trainer for the averaged model."""
        return bool(getattr(self.cfg, KEY))

    def train_step(self, *args: Any, ema_model: Optional[Any] = None, **kwargs: Any) -> Any:
        """fairseq's own; the average has no part in training."""
        return super().train_step(*args, **kwargs)  # type: ignore[misc]

    def valid_step(self, sample: Any, model: Any, criterion: Any, ema_model: Optional[Any] = None) -> Any:
        """fairseq's own, on the averaged model where the trainer gives one."""
        return super().valid_step(sample, model if ema_model is None else ema_model, criterion)  # type: ignore[misc]


def evaluate_average(module: ModuleType) -> None:
    """Wrap the functions of ``fairseq.checkpoint_utils`` that load models to evaluate; harmless when done twice.

    Resuming and fine-tuning load checkpoints otherwise, and get the weights themselves.
    """
    load, load_models = module.load_checkpoint_to_cpu, module.load_model_ensemble_and_task
    if getattr(load_models, "evaluates_average", False):
        return

    @functools.wraps(load)
    def load_checkpoint_to_cpu(path: str, *args: Any, **kwargs: Any) -> Any:
        state = load(path, *args, **kwargs)
        if _evaluating.get():
            take_average(path, state)
        return state

    @functools.wraps(load_models)
    def load_model_ensemble_and_task(*args: Any, **kwargs: Any) -> Any:
        before = _evaluating.set(True)
        try:
            return load_models(*args, **kwargs)
        finally:
            _evaluating.reset(before)

    load_model_ensemble_and_task.evaluates_average = True  # type: ignore[attr-defined]
    module.load_checkpoint_to_cpu = load_checkpoint_to_cpu  # type: ignore[attr-defined]
    module.load_model_ensemble_and_task = load_model_ensemble_and_task  # type: ignore[attr-defined]


def take_average(path: str, state: MutableMapping[str, Any]) -> None:
    """Put the averaged weights in place of the last ones, in place, where the checkpoint's task evaluates them."""
    task = (state.get("cfg") or {}).get("task") or {}
    average = (state.get("extra_state") or {}).get("ema")
    if average and KEY in task and task[KEY]:
        logger.info(f"{path}: loading the average of its weights (`task.{KEY}`)")
        state["model"] = average
