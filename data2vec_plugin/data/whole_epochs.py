"""Mixins for data sets of every modality: an epoch that loader workers see, and batches that leave no sample out."""

from __future__ import annotations

from typing import Any, List, Tuple

import numpy as np
import torch
from numpy.typing import NDArray


class SharedEpoch:
    """A mixin for data sets whose samples depend on the epoch.

    fairseq keeps its data loader, and the loader its workers, for all epochs: changes reach them only through shared
    memory. If an epoch goes through the data more than once, callers add a ``turn`` to it.
    """

    turn = 0

    def __init__(self) -> None:
        self._epoch = torch.ones((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """The epoch that samples are drawn for."""
        return int(self._epoch) + self.turn

    def set_epoch(self, epoch: int) -> None:
        """Called by fairseq's iterator before each epoch; seen by workers that run already."""
        self._epoch.fill_(epoch)

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Batches are the same in every epoch; only what is drawn within them changes."""
        return True


class ShuffledEpoch(SharedEpoch):
    """A mixin for data sets that, if ``shuffled``, have new batches in every epoch."""

    def __init__(self, seed: int, shuffled: bool) -> None:
        super().__init__()
        self.seed, self.shuffled = seed, shuffled

    def __len__(self) -> int:
        """How many samples there are."""
        raise NotImplementedError(f"{type(self).__name__} must implement how many samples it has")

    def ordered_indices(self) -> NDArray[np.int64]:
        """Return all samples; if ``shuffled``, in an order drawn from seed and epoch."""
        if not self.shuffled:
            return np.arange(len(self))
        return np.random.default_rng((self.seed, self.epoch)).permutation(len(self))

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Whether every epoch has the same batches."""
        return not self.shuffled


class AllBatches:
    """Mixed in before one of fairseq's data sets, so that no version of fairseq drops samples."""

    def batch_by_size(self, indices: np.ndarray, *args: Any, **limits: Any) -> List[np.ndarray]:
        """fairseq's batches, and what fairseq main leaves out of them.

        Main drops the last batch if ``required_batch_size_multiple`` does not divide it: up to seven samples of
        a test set, or all of a small one.
        """
        batches: List[np.ndarray] = super().batch_by_size(indices, *args, **limits)  # type: ignore[misc]
        remainder = indices[sum(map(len, batches)) :]
        return [*batches, remainder] if len(remainder) else batches


class CountedSamples:
    """Mixed in before fairseq's data set if a sample is a single item, such as a picture or a multimodal clip.

    A sample counts as one token, so ``dataset.max_tokens`` also bounds their number, and none is too long.
    """

    def num_tokens(self, index: int) -> int:
        """One."""
        return 1

    def num_tokens_vec(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """One for each."""
        return np.ones(len(indices), dtype=np.int64)

    def size(self, index: int) -> int:
        """One."""
        return 1

    def filter_indices_by_size(self, indices: NDArray[np.int64], max_sizes: Any) -> Tuple[NDArray[np.int64], List[int]]:
        """Return all samples, and none as left out; fairseq would check them one by one."""
        return indices, []
