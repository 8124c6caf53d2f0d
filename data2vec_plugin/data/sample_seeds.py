"""Random draws of a sample depend only on (seed, epoch, id), by the rule with which its run started."""

from __future__ import annotations

import logging
from typing import List, Optional, Sequence

import numpy as np
import torch
from numpy.random import Generator

from ..core.masks.masking import hashed_row_generator, row_generator

logger = logging.getLogger(__name__)

OWN, HASHED, BY_MODEL = "own", "hashed", "by_model"
"""Each sample has its own generators; samples share the reference's few for masks; the model draws the masks."""
RULES = (OWN, HASHED, BY_MODEL)


class SampleSeeds:
    """The generators of a run's samples. ``of_before`` is the rule of runs whose checkpoints do not name one.

    A new run has rule ``own``. The rule is kept in shared memory: when a run reads it from its checkpoint, its data
    sets already exist, and perhaps their workers.

    >>> seeds = SampleSeeds(1)
    >>> seeds.of_mask(epoch=2, index=7).integers(1000) != seeds.of_view(epoch=2, index=7).integers(1000)
    True
    """

    def __init__(self, seed: int, of_before: str = HASHED) -> None:
        self.seed = seed
        self.of_before = of_before
        self._rule = torch.zeros((), dtype=torch.int64).share_memory_()

    @property
    def rule(self) -> str:
        """One of ``RULES``, as checkpoints store it."""
        return RULES[int(self._rule)]

    @property
    def masks_are_drawn(self) -> bool:
        """Whether masks are drawn here, and not by the model."""
        return self.rule != BY_MODEL

    def go_on(self, saved: Optional[str]) -> None:
        """Use the rule of a resumed checkpoint; None if it names no rule. Raises ValueError for an unknown rule."""
        rule = self.of_before if saved is None else saved
        if rule not in RULES:
            raise ValueError(
                f"the checkpoint's masks were drawn by the rule {rule!r}; expected one of {', '.join(RULES)}: resume "
                "with the version that wrote it, or restart its data with `checkpoint.reset_dataloader=true`"
            )
        self._rule.fill_(RULES.index(rule))
        if rule != OWN:
            logger.info(f"masks are drawn by the rule `{rule}` with which this run started; new runs use another")

    def of_mask(self, epoch: int, index: int, copy: int = 0) -> Generator:
        """Return the generator for the mask of a sample's copy."""
        if self.rule == HASHED:
            return hashed_row_generator(self.seed, epoch, index)
        return row_generator(self.seed, epoch, index, copy)

    def of_masks(self, epoch: int, ids: Sequence[int], copies: int = 1) -> List[Generator]:
        """Return the generators for the masks of a batch; those of a sample's ``copies`` are consecutive."""
        return [self.of_mask(epoch, index, copy) for index in ids for copy in range(copies)]

    def of_view(self, epoch: int, index: int) -> Generator:
        """Return the generator for a sample's crop, and for all its other draws except the mask.

        NumPy pads a seed of fewer than four numbers with zeros, so (seed, epoch, id) would be the generator of copy 0's
        mask: hence the fifth number.
        """
        of_before = (self.seed, epoch, index)
        return np.random.default_rng((*of_before, 0, 1) if self.rule == OWN else of_before)
