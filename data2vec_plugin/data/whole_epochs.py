"""An epoch that loader workers see, however long they have been running."""

from __future__ import annotations

import torch


class SharedEpoch:
    """Mixed into a data set whose samples follow the epoch.

    fairseq keeps its data loader, and the loader its workers, from epoch to epoch: what they are to notice must be
    shared memory.
    """

    def __init__(self) -> None:
        self._epoch = torch.ones((), dtype=torch.int64).share_memory_()

    @property
    def epoch(self) -> int:
        """The epoch that samples are drawn for."""
        return int(self._epoch)

    def set_epoch(self, epoch: int) -> None:
        """Called by fairseq's iterator before each epoch; seen by workers that run already."""
        self._epoch.fill_(epoch)

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Batches are the same in every epoch; only what is drawn within them changes."""
        return True
