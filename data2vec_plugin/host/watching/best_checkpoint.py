"""Checks that a run keeps its best checkpoint and not its worst, which fairseq cannot know."""

from __future__ import annotations

import re
from typing import Any, Optional

HIGHER = {"acc", "accuracy", "bleu", "correlation", "f", "mcc", "pearson", "precision", "recall", "spearman", "top"}
LOWER = {"cer", "err", "error", "loss", "ppl", "uer", "wer"}
"""Words in the names of metrics that are better when they are higher or lower; numbers after them are ignored."""


def kept_the_wrong_way(checkpoint: Any) -> Optional[str]:
    """Return the warning if a `checkpoint` section keeps the worst checkpoint; None if not, or for unknown metrics."""
    metric, maximize = checkpoint.best_checkpoint_metric, checkpoint.maximize_best_checkpoint_metric
    better = better_when_higher(metric)
    if better is None or better == maximize:
        return None
    return (
        f"the best checkpoint is chosen by `checkpoint.best_checkpoint_metric={metric}`, which is better when it is "
        f"{'higher' if better else 'lower'}, but `checkpoint.maximize_best_checkpoint_metric` is {maximize}: the worst "
        f"one would be kept. Add `checkpoint.maximize_best_checkpoint_metric={str(better).lower()}`"
    )


def better_when_higher(metric: str) -> Optional[bool]:
    """Return True for accuracies and correlations, False for losses and error rates, None for unknown metrics.

    >>> better_when_higher("accuracy_top5"), better_when_higher("wer"), better_when_higher("target_var")
    (True, False, None)
    """
    words = set(re.findall("[a-z]+", metric.lower()))
    higher, lower = bool(words & HIGHER), bool(words & LOWER)
    return None if higher == lower else higher
