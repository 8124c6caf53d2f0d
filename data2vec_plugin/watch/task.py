"""What a task of ours tells whoever watches its run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar

from .advice import out_of_memory

logger = logging.getLogger(__name__)

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""How torch says so: on a GPU, on a CPU, and there on Windows."""


@dataclass(frozen=True)
class Extent:
    """How much data there is, in the words of its modality: ``amount`` ``unit`` (hours of speech) in ``items``.

    What can only be counted (pictures) is an int.
    """

    amount: float
    unit: str
    items: int
    item_name: str

    def __str__(self) -> str:
        amount = f"{self.amount:,}" if isinstance(self.amount, int) else f"{self.amount:,.2f}"
        return f"{amount} {self.unit} in {self.items:,} {self.item_name}"


class WatchedTask:
    """A task of ours: it can say how much data a set holds, and what a batch is."""

    memory_knobs: ClassVar[str] = (
        "lower `dataset.max_tokens` (and raise `optimization.update_freq` to keep the batch), "
        "or crop shorter with `task.max_sample_size`"
    )
    """What to do about a batch that does not fit."""

    def extent(self, dataset: Any) -> Extent:
        """How much an epoch of ``dataset`` is."""
        raise NotImplementedError(f"{type(self).__name__} must say how much data it has")

    def train_step(self, sample: Any, model: Any, criterion: Any, *args: Any, **kwargs: Any) -> Any:
        """fairseq's own; a batch that does not fit into memory is described before fairseq decides what to do."""
        try:
            return super().train_step(sample, model, criterion, *args, **kwargs)  # type: ignore[misc]
        except RuntimeError as error:
            if any(words in str(error) for words in NO_MEMORY):
                logger.error(out_of_memory(sample, self.memory_knobs))
            raise
