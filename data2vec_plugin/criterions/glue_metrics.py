"""The metrics of GLUE, over a whole set of predictions, by scikit-learn and SciPy; in percent."""

from __future__ import annotations

import logging
from typing import Callable, Dict, Sequence

import numpy as np

logger = logging.getLogger(__name__)

Scores = Dict[str, float]
POSITIVE = "1"
"""The label whose F1 is reported: a paraphrase, a duplicate."""
TELLING = 10
"""With fewer targets there is no warning: fairseq also reduces metrics after every batch."""


def mcc(predictions: Sequence[str], labels: Sequence[str]) -> Scores:
    """Matthews' correlation (CoLA).

    >>> round(mcc(["1", "0", "1", "0"], ["1", "0", "0", "0"])["mcc"], 2)
    57.74
    """
    from sklearn.metrics import matthews_corrcoef

    if len({*predictions, *labels}) < 2:  # scikit-learn would warn, after every small batch
        return {"mcc": 0.0}
    return {"mcc": 100 * float(matthews_corrcoef(labels, predictions))}


def accuracy_and_f1(predictions: Sequence[str], labels: Sequence[str]) -> Scores:
    """F1 of the positive label against all others, and its mean with accuracy (MRPC, QQP)."""
    from sklearn.metrics import f1_score

    ours, theirs = np.asarray(predictions), np.asarray(labels)
    accuracy = float(np.mean(ours == theirs))
    f1 = float(f1_score(theirs == POSITIVE, ours == POSITIVE, zero_division=0))
    return {"f1": 100 * f1, "acc_and_f1": 50 * (accuracy + f1)}


def correlations(predictions: Sequence[float], targets: Sequence[float]) -> Scores:
    """Pearson's and Spearman's correlation, and their mean (STS-B); 0, with a warning, if one side is constant."""
    from scipy.stats import pearsonr, spearmanr

    if len(set(predictions)) < 2 or len(set(targets)) < 2:
        if len(targets) >= TELLING:
            logger.warning(
                "all predictions or all targets are the same: their correlation is undefined and reported as 0"
            )
        return {"pearson": 0.0, "spearman": 0.0, "pearson_and_spearman": 0.0}
    pearson, spearman = (float(measure(predictions, targets)[0]) for measure in (pearsonr, spearmanr))
    return {"pearson": 100 * pearson, "spearman": 100 * spearman, "pearson_and_spearman": 50 * (pearson + spearman)}


METRICS: Dict[str, Callable[..., Scores]] = {
    "report_mcc": mcc,
    "report_acc_and_f1": accuracy_and_f1,
    "report_pearson_and_spearman": correlations,
}
"""Metrics by the criterion's key that selects them."""

NAMES = {
    "report_mcc": ("mcc",),
    "report_acc_and_f1": ("f1", "acc_and_f1"),
    "report_pearson_and_spearman": ("pearson", "spearman", "pearson_and_spearman"),
}
