"""fairseq's trainer knows what a run will do, and offers a task no place to say it: hence wrapped methods."""

from __future__ import annotations

import functools
import logging
from contextlib import nullcontext
from types import ModuleType
from typing import Any

from ..runs.run_log import keep_log
from .watching.advice import is_about_the_checkpoint, mismatch, not_finite
from .watching.best_checkpoint import kept_the_wrong_way
from .watching.plan import GIB, peak_memory, plan
from .watching.task import WatchedTask, memory_explained
from .watching.together import end_together

logger = logging.getLogger(__name__)


class NonFiniteError(FloatingPointError):
    """Gradients are NaN or infinite, in a precision that has no loss scale to lower."""


class CheckpointMismatchError(ValueError):
    """A checkpoint's weights are not those of the model."""


def watch_trainer(module: ModuleType) -> None:
    """Wrap the trainer of ``fairseq.trainer``; harmless when done twice."""
    trainer = module.Trainer
    if getattr(trainer, "is_watched", False):
        return
    trainer.is_watched = True
    _announce(trainer)
    _explain(trainer)
    _explain_loading(trainer)
    end_together(trainer)


def is_ours(trainer: Any) -> bool:
    """Whether a task of ours is trained, or a model: text is fine-tuned under fairseq's own task."""
    package = __name__.partition(".")[0]
    return isinstance(trainer.task, WatchedTask) or type(trainer.get_model()).__module__.startswith(f"{package}.")


def _announce(trainer: Any) -> None:
    """Log the plan when the training data is there."""
    stock = trainer.get_train_iterator

    @functools.wraps(stock)
    def get_train_iterator(self: Any, *args: Any, **kwargs: Any) -> Any:
        iterator = stock(self, *args, **kwargs)
        if isinstance(self.task, WatchedTask) and not getattr(self, "_announced", False):
            self._announced = True
            if self.data_parallel_rank == 0:
                keep_log(self.cfg.checkpoint)
                for line in plan(self, iterator):
                    logger.info(line)
                fault = kept_the_wrong_way(self.cfg.checkpoint)
                if fault:
                    logger.warning(fault)
        return iterator

    trainer.get_train_iterator = get_train_iterator


def _explain(trainer: Any) -> None:
    """Name the knob when gradients are not finite or memory runs out; report memory after the first update."""
    stock = trainer.train_step

    @functools.wraps(stock)
    def train_step(self: Any, samples: Any, *args: Any, **kwargs: Any) -> Any:
        watched = isinstance(self.task, WatchedTask)
        try:
            with memory_explained(samples, self.task.memory_knobs) if watched else nullcontext():
                output = stock(self, samples, *args, **kwargs)
        except FloatingPointError as error:
            if is_ours(self) and not isinstance(error, NonFiniteError):
                raise NonFiniteError(not_finite(self, samples)) from error
            raise
        if watched and output is not None and not getattr(self, "_measured", False):
            self._measured = True
            logger.info(f"memory: {peak_memory() / GIB:.2f} GiB at the peak of the first update")
        return output

    trainer.train_step = train_step


def _explain_loading(trainer: Any) -> None:
    """Say why a checkpoint does not fit, which fairseq does not."""
    stock = trainer.load_checkpoint

    @functools.wraps(stock)
    def load_checkpoint(self: Any, filename: str, *args: Any, **kwargs: Any) -> Any:
        try:
            loaded = stock(self, filename, *args, **kwargs)
        except Exception as error:
            if not isinstance(self.task, WatchedTask) or not is_about_the_checkpoint(error, filename):
                raise
            raise CheckpointMismatchError(mismatch(self, filename, error)) from error
        if isinstance(self.task, WatchedTask) and loaded is not None:
            self.task.check_checkpoint(filename)
        return loaded

    trainer.load_checkpoint = load_checkpoint
