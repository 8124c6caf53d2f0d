"""Metrics of scores against labels of 0 and 1, over a whole set."""

from __future__ import annotations

from typing import Any, Dict, List, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Numbers = Union[Sequence[float], NDArray[Any]]
NAMES = ("accuracy", "average_precision")
THRESHOLD = 0.5
"""A higher score means 1."""


def meme_scores(scores: Numbers, labels: Numbers) -> Dict[str, float]:
    """Accuracy and average precision, from 0 to 1; raises ValueError unless both have the same length, at least 1."""
    ours, theirs = checked(scores, labels)
    return {"accuracy": accuracy(ours, theirs), "average_precision": average_precision(ours, theirs)}


def checked(scores: Numbers, labels: Numbers) -> Tuple[Values, NDArray[np.bool_]]:
    """Return both as arrays (N,), labels as booleans; raises ValueError for other shapes."""
    ours, theirs = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(
            f"got {ours.shape} scores for {theirs.shape} labels; expected the same number of both, at least one"
        )
    return ours, theirs > THRESHOLD


def accuracy(scores: Values, labels: NDArray[np.bool_]) -> float:
    """Share of scores on their label's side of 0.5."""
    return float(((scores > THRESHOLD) == labels).mean())


def precision_recall(scores: Values, labels: NDArray[np.bool_]) -> Tuple[Values, Values]:
    """Precision and recall (K,) with each of the K different scores as threshold, from the highest to the lowest.

    Scores equal to the threshold count as 1.
    """
    order = np.argsort(-scores, kind="stable")
    hits, taken = np.cumsum(labels[order]), np.arange(1, len(scores) + 1)
    last = np.append(np.diff(scores[order]) != 0, True)
    return hits[last] / taken[last], hits[last] / max(int(labels.sum()), 1)


def average_precision(scores: Values, labels: NDArray[np.bool_]) -> float:
    """Mean of the precision over recall, in steps, without interpolation; 0 where no label is 1."""
    precision, recall = precision_recall(scores, labels)
    return float((np.diff(recall, prepend=0) * precision).sum())


def confusion(scores: Values, labels: NDArray[np.bool_]) -> List[List[int]]:
    """Counts, a row for each label, a column for each decision: [[0 as 0, 0 as 1], [1 as 0, 1 as 1]]."""
    decided = scores > THRESHOLD
    return [[int(((labels == row) & (decided == column)).sum()) for column in (False, True)] for row in (False, True)]


def smoothed(curve: Sequence[float], factor: float) -> List[float]:
    """Exponential average of a curve, corrected for its missing past: the first value stays as it is.

    Raises ValueError unless 0 <= ``factor`` < 1.

    >>> smoothed([1.0, 0.0], 0.5)
    [1.0, 0.3333333333333333]
    """
    if not 0 <= factor < 1:
        raise ValueError(f"`smoothing` is {factor}; expected 0 or more, and less than 1 (0.6 is usual)")
    values, average, weight = [], 0.0, 0.0
    for value in curve:
        average = factor * average + (1 - factor) * value
        weight = factor * weight + (1 - factor)
        values.append(average / weight)
    return values


def best(curve: Sequence[Any]) -> float:
    """The highest value of a curve."""
    return float(max(curve))
