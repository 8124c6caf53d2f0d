"""The base class of this plugin's tasks: it reports data sizes, and explains errors of a run."""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Iterator, List

import numpy as np
from numpy.typing import NDArray

from .advice import not_finite, out_of_memory

logger = logging.getLogger(__name__)

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""Torch's messages: on a GPU, on a CPU, and on a CPU with Windows."""


class NonFiniteError(FloatingPointError):
    """Gradients are NaN or infinite, in a precision that has no loss scale to lower."""


@dataclass(frozen=True)
class Extent:
    """How much data there is, in the words of its modality: ``amount`` ``unit`` (hours of speech) in ``items``.

    An amount that is a count (of pictures) is an int.
    """

    amount: float
    unit: str
    items: int
    item_name: str

    def __str__(self) -> str:
        amount = f"{self.amount:,}" if isinstance(self.amount, int) else f"{self.amount:,.2f}"
        return f"{amount} {self.unit} in {self.items:,} {self.item_name}"


class WatchedTask:
    """A task that reports how much data a set holds and describes batches."""

    memory_knobs: ClassVar[str] = (
        "lower `dataset.max_tokens` (and raise `optimization.update_freq` to keep the batch), "
        "or crop shorter with `task.max_sample_size`"
    )
    """What to do about a batch that does not fit."""
    valid_memory_knobs: ClassVar[str] = "lower `dataset.max_tokens_valid` or `dataset.batch_size_valid`"

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Return how much data the samples ``indices`` of ``dataset`` are, which make up an epoch."""
        raise NotImplementedError(f"{type(self).__name__} must implement how much data it has")

    def train_step(self, sample: Any, model: Any, criterion: Any, *args: Any, **kwargs: Any) -> Any:
        """fairseq's own; a batch that does not fit into memory is described before fairseq decides what to do."""
        with memory_explained([sample], knobs_for(model, self.memory_knobs)):
            return super().train_step(sample, model, criterion, *args, **kwargs)  # type: ignore[misc]

    def valid_step(self, sample: Any, model: Any, criterion: Any, *args: Any, **kwargs: Any) -> Any:
        """fairseq's own, which tries a batch that does not fit into memory a second time; it is described as above."""
        with memory_explained([sample], self.valid_memory_knobs):
            return super().valid_step(sample, model, criterion, *args, **kwargs)  # type: ignore[misc]

    def reduce_metrics(self, logging_outputs: List[Dict[str, Any]], criterion: Any) -> None:
        """fairseq's own, which passes the logs of an update to the criterion's class; here also to the criterion."""
        super().reduce_metrics(logging_outputs, criterion)  # type: ignore[misc]
        let_observe(criterion, logging_outputs)

    def check_checkpoint(self, path: str) -> None:
        """Raise ValueError if a checkpoint's weights fit the model but have another meaning; does nothing here."""


def knobs_for(model: Any, knobs: str) -> str:
    """Return what to do about a batch that does not fit, of which the model may make several copies."""
    copies = getattr(getattr(getattr(model, "module", model), "config", None), "copies", 1)
    if copies == 1:
        return knobs
    return (
        f"{knobs}; each input is masked {copies} times (`model.clone_batch`): fewer masks fit, but change the training"
    )


@contextmanager
def memory_explained(samples: List[Any], knobs: str) -> Iterator[None]:
    """Context that logs the batches of an update, once, if there is no memory for them."""
    try:
        yield
    except RuntimeError as error:
        if any(words in str(error) for words in NO_MEMORY) and not getattr(error, "is_explained", False):
            error.is_explained = True  # type: ignore[attr-defined]
            logger.error(out_of_memory(samples, knobs))
        raise


@contextmanager
def faults_explained(trainer: Any, samples: List[Any]) -> Iterator[None]:
    """Context that names settings to change if an update runs out of memory, or its gradients are not finite.

    Raises NonFiniteError for the latter.
    """
    watched = isinstance(trainer.task, WatchedTask)
    try:
        knobs = knobs_for(trainer.get_model(), trainer.task.memory_knobs) if watched else ""
        with memory_explained(samples, knobs) if watched else nullcontext():
            yield
    except FloatingPointError as error:
        raise NonFiniteError(not_finite(trainer, samples)) from error


def let_observe(criterion: Any, logging_outputs: List[Dict[str, Any]]) -> None:
    """Pass the logs of an update, from all processes, to a criterion that observes its run."""
    if hasattr(criterion, "observe"):
        criterion.observe(logging_outputs)
