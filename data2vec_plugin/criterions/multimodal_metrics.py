"""Metrics of sentiment and of emotions, over a whole set of predictions; accuracies and F1 from 0 to 1.

Binary accuracy is defined in two ways, and papers seldom say which one they use, so both are reported: ``pos`` leaves
out neutral samples and asks which are above 0, ``nonneg`` keeps all samples and asks which are at least 0.
"""

from __future__ import annotations

from typing import Any, Dict, Sequence

import numpy as np
from numpy.typing import NDArray

Scores = Dict[str, float]
Values = NDArray[Any]
LIMIT = 3
"""Sentiment lies within ±3, in seven classes."""


def sentiment_scores(predictions: Sequence[float], truth: Sequence[float]) -> Scores:
    """All metrics of sentiment regression, (N,) each; raises ValueError unless lengths are equal, and at least 1."""
    ours, theirs = (np.asarray(values, dtype=np.float64) for values in (predictions, truth))
    check_alike(ours, theirs)
    classes, rounded = np.round(ours), np.round(theirs)
    telling = theirs != 0
    return {
        "mae": float(np.abs(ours - theirs).mean()),
        "pearson": pearson(ours, theirs),
        "acc7": accuracy(np.round(ours.clip(-LIMIT, LIMIT)), np.round(theirs.clip(-LIMIT, LIMIT))),
        "acc2_pos": accuracy(ours[telling] > 0, theirs[telling] > 0),
        "acc2_nonneg": accuracy(ours >= 0, theirs >= 0),
        "f1_pos": weighted_f1(ours[telling] > 0, theirs[telling] > 0),
        "f1_nonneg": weighted_f1(ours >= 0, theirs >= 0),
        "f1_rounded": weighted_f1(classes, rounded),
    }


def emotion_scores(logits: Sequence[Any], labels: Sequence[Any], emotions: Sequence[str]) -> Scores:
    """Accuracy and support-weighted F1 of each emotion, and their means.

    ``logits`` (N, emotions · classes), the classes of an emotion side by side; ``labels`` (N, emotions).
    """
    theirs = np.asarray(labels).reshape(len(labels), len(emotions))
    ours = np.asarray(logits, dtype=np.float64).reshape(len(logits), len(emotions), -1).argmax(-1)
    check_alike(ours, theirs)
    scores: Scores = {}
    for place, emotion in enumerate(emotions):
        scores[f"accuracy_{emotion}"] = accuracy(ours[:, place], theirs[:, place])
        scores[f"f1_{emotion}"] = weighted_f1(ours[:, place], theirs[:, place])
    for metric in ("accuracy", "f1"):
        scores[metric] = float(np.mean([scores[f"{metric}_{emotion}"] for emotion in emotions]))
    return scores


def sentiment_names() -> Sequence[str]:
    """Names of the metrics of sentiment."""
    return ("mae", "pearson", "acc7", "acc2_pos", "acc2_nonneg", "f1_pos", "f1_nonneg", "f1_rounded")


def emotion_names(emotions: Sequence[str]) -> Sequence[str]:
    """Names of the metrics of emotions."""
    each = [f"{metric}_{emotion}" for emotion in emotions for metric in ("accuracy", "f1")]
    return (*each, "accuracy", "f1")


def pearson(ours: Values, theirs: Values) -> float:
    """Pearson's correlation; 0 if one side is constant, where it is undefined."""
    left, right = ours - ours.mean(), theirs - theirs.mean()
    scale = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum()) / scale if scale > 0 else 0.0


def accuracy(ours: Values, theirs: Values) -> float:
    """Share of equal entries; 0 if there are none."""
    return float((ours == theirs).mean()) if len(theirs) else 0.0


def weighted_f1(ours: Values, theirs: Values) -> float:
    """Mean of the F1 of every class in ``theirs``, weighted by its frequency there; 0 without samples.

    >>> round(weighted_f1(np.array([1, 1, 0]), np.array([1, 0, 0])), 4)
    0.6667
    """
    total = 0.0
    for found in np.unique(theirs):
        hits = float(((ours == found) & (theirs == found)).sum())
        support = float((theirs == found).sum())
        total += support * 2 * hits / (support + float((ours == found).sum()))
    return total / len(theirs) if len(theirs) else 0.0


def check_alike(ours: Values, theirs: Values) -> None:
    """Raise ValueError unless predictions and labels have the same shape and are not empty."""
    if ours.shape != theirs.shape or not len(ours):
        raise ValueError(
            f"got {ours.shape} predictions for {theirs.shape} labels; expected the same number of both, at least one"
        )
