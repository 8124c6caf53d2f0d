"""Collects all predictions of a data set, for metrics that are not means over batches."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence

from fairseq import metrics
from fairseq.logging.meters import Meter

PREDICTIONS = "_predictions"
Scorer = Callable[[List[Any], List[Any]], Dict[str, float]]


class PredictionMeter(Meter):
    """All predictions of one validation, and their targets."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self.predictions: List[Any] = []
        self.targets: List[Any] = []

    def update(self, predictions: List[Any], targets: List[Any]) -> None:
        """Add a batch."""
        self.predictions += predictions
        self.targets += targets

    @property
    def smoothed_value(self) -> int:
        """Number of predictions: fairseq requires a number from every meter."""
        return len(self.predictions)


def log_whole_set(
    logging_outputs: Sequence[Dict[str, Any]], scorer: Scorer, names: Sequence[str], digits: int = 2
) -> None:
    """Add the predictions of a batch, and log the named metrics, which are computed from all predictions when read."""
    for log in logging_outputs:
        metrics.log_custom(PredictionMeter, PREDICTIONS, log["predictions"], log["targets"])
    for name in names:
        metrics.log_derived(name, _derived(scorer, name, digits))


def _derived(scorer: Scorer, name: str, digits: int) -> Callable[[Any], float]:
    return lambda meters: round(scorer(meters[PREDICTIONS].predictions, meters[PREDICTIONS].targets)[name], digits)
