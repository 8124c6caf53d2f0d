"""Top-1 and top-5 accuracy of a whole set, from what a model counts in every batch."""

from __future__ import annotations

from typing import Any, Dict, List

from fairseq import metrics

COUNTS = {"correct": "accuracy", "correct_top5": "accuracy_top5"}
"""What a model counts, and the metric that it becomes; in percent."""


def log_accuracy(logging_outputs: List[Dict[str, Any]]) -> None:
    """Log the accuracies whose counts were logged, whichever criterion did so: under `model`, its ``log_keys``.

    A batch weighs as many images as it has, so what is reported is that of the set, and stays so if two parties log it.
    """
    for count, name in COUNTS.items():
        outputs = [log for log in logging_outputs if count in log]
        if outputs:
            correct, images = (float(sum(log[key] for log in outputs)) for key in (count, "sample_size"))
            metrics.log_scalar(name, 100 * correct / max(images, 1), images, round=3)
