"""Batches of several modalities in turns: each update is of one modality, on all processes.

All micro-batches of an update then have gradients for the same parameters. The number of a modality's batches, times
its ratio, decides how often it has its turn.
"""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence

import numpy as np
from fairseq.data.iterators import EpochBatchIterator, ShardedIterator

from ..resumable import ChecksPosition
from .several_modalities import SeveralModalitiesDataset

Batch = Sequence[int]
GROUP = "data2vec_group"


class RoundRobinIterator(ChecksPosition, EpochBatchIterator):  # type: ignore[misc]
    """fairseq's iterator over ``batches`` of indices by modality, in groups of ``group`` batches of one modality.

    An epoch has ``ratios`` times as many batches of each, rounded up to whole groups: missing batches come from another
    round through the same data, with new random draws.
    """

    def __init__(
        self,
        dataset: SeveralModalitiesDataset,
        batches: Mapping[str, List[Batch]],
        ratios: Mapping[str, float],
        group: int,
        **options: Any,
    ) -> None:
        self.by_modality = batches
        self.group = group
        self.counts = {name: self.count(len(batches[name]), ratios[name], group) for name in batches}
        frozen = [batch for name in batches for batch in self.of_modality(dataset, name, None)]
        super().__init__(dataset, batch_sampler=frozen, **options)

    @staticmethod
    def count(batches: int, ratio: float, group: int) -> int:
        """Return the number of a modality's batches in an epoch, a multiple of ``group``."""
        return math.ceil(max(int(batches * ratio), 1) / group) * group if batches else 0

    def of_modality(self, dataset: SeveralModalitiesDataset, name: str, rng: Any) -> List[List[int]]:
        """Return an epoch's batches of a modality, as positions; shuffled in each round if ``rng`` is given."""
        batches, chosen = self.by_modality[name], []
        for turn in range(math.ceil(self.counts[name] / max(len(batches), 1))):
            order = range(len(batches)) if rng is None else rng.permutation(len(batches))
            chosen += [[dataset.place(name, int(index), turn) for index in batches[number]] for number in order]
        return chosen[: self.counts[name]]

    def ordered_batches(self, epoch: int, fix_batches_to_gpus: bool, shuffle: bool) -> List[Any]:
        """This process's batches in an epoch."""
        rng = np.random.default_rng((self.seed, epoch)) if shuffle else None
        batches = [batch for name in self.by_modality for batch in self.of_modality(self.dataset, name, rng)]
        if rng is not None:
            groups = rng.permutation(len(batches) // self.group)
            batches = [batches[self.group * number + place] for number in groups for place in range(self.group)]
        own: List[Any] = list(ShardedIterator(batches, self.num_shards, self.shard_id, fill_value=[]))
        if self._supports_prefetch:
            self.dataset.prefetch([place for batch in own for place in batch])
        return own

    def state_dict(self) -> Dict[str, Any]:
        """Return fairseq's position, and the number of batches per update."""
        return {**super().state_dict(), GROUP: self.group}

    def check_position(self, state_dict: Dict[str, Any]) -> None:
        """Raise ValueError for a position that was saved with another number of batches per update."""
        saved = state_dict.get(GROUP, self.group)
        if saved != self.group:
            raise ValueError(
                f"the checkpoint was saved within an epoch with {saved} batches per update, but this run has "
                f"{self.group} (processes times `optimization.update_freq`), in another order; keep the product, or "
                "restart the data at epoch 1 with the trained weights: `checkpoint.reset_dataloader=true` in one "
                "launch"
            )
