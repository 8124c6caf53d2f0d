"""Batches that leave no sample out."""

from __future__ import annotations

from typing import Any, List

import numpy as np


class AllBatches:
    """Mixed in before one of fairseq's data sets."""

    def batch_by_size(self, indices: np.ndarray, *args: Any, **limits: Any) -> List[np.ndarray]:
        """fairseq's batches, and what fairseq main leaves out of them.

        Main drops the last batch if ``required_batch_size_multiple`` does not divide it: up to seven samples of
        a test set, or all of a small one.
        """
        batches: List[np.ndarray] = super().batch_by_size(indices, *args, **limits)  # type: ignore[misc]
        remainder = indices[sum(map(len, batches)) :]
        return [*batches, remainder] if len(remainder) else batches
