"""Top-1 and top-5 accuracy of a whole data set, from the counts of each batch."""

from __future__ import annotations

from typing import Any, Dict, List

from fairseq import metrics

COUNTS = {"correct": "accuracy", "correct_top5": "accuracy_top5"}
"""Counts in the logs, and the metrics computed from them, in percent."""


def log_accuracy(logging_outputs: List[Dict[str, Any]]) -> None:
    """Log the accuracies whose counts any criterion has logged; fairseq's `model` does so by its ``log_keys``.

    Batches are weighted by their images, so the result is that of the whole set, even if it is logged twice.
    """
    for count, name in COUNTS.items():
        outputs = [log for log in logging_outputs if count in log]
        if outputs:
            correct, images = (float(sum(log[key] for log in outputs)) for key in (count, "sample_size"))
            metrics.log_scalar(name, 100 * correct / max(images, 1), images, round=3)
