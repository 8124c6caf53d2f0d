"""The inputs of feature extraction: an item of a list, the model input read from it, and the errors it may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Protocol, Tuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class BadItemError(ValueError):
    """An item without features; the message says why, ``item.place`` where it is listed."""


@dataclass(frozen=True)
class Item:
    """One entry of a list.

    ``name`` is the key of its features: its path without extension, or the number of its line. ``place`` is for
    messages. ``source`` is the file's path, or the text itself. ``samples`` is the length in a manifest, or None.
    ``stamp`` changes with the text of a line, whose features are then computed again; a file is known only by name.
    """

    name: str
    place: str
    source: str
    samples: Optional[int] = None
    stamp: str = ""


@dataclass(frozen=True)
class Input:
    """An examined item: ``size`` is counted by batches, ``load`` reads the model's input."""

    item: Item
    size: int
    load: Callable[[], Tensor]


class Reader(Protocol):
    """How items of one modality become batches."""

    unit: str
    """The unit of sizes, for messages."""
    default_batch: float
    """Default size of a batch, in :attr:`unit`."""
    sizes_per_unit: int
    """Sizes per :attr:`unit`: samples in a second."""

    def settings(self) -> Dict[str, object]:
        """The settings, besides the weights, that features depend on."""

    def look(self, item: Item) -> Input:
        """Find an item's size without reading all of it; raises :class:`BadItemError`. Called from several threads."""

    def take(self, value: object, item: Item) -> Input:
        """The same for an item in memory, or a file's path; ``item`` names it. Raises :class:`BadItemError`."""

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Rows -> the model's ``source`` and its padding mask, True for padding, None if there is no padding."""

    def span(self, row: Tensor, width: int) -> slice:
        """Which of the ``width`` outputs belong to the input ``row`` and are not padding."""

    def remarks(self) -> List[str]:
        """Warnings about the items since the last call: truncated ones, or those that look wrong."""


def padded(rows: List[Tensor], value: int) -> Tuple[Tensor, Optional[Tensor]]:
    """Rows (T,) -> (B, T), padded with ``value`` at the end, and the mask of the padding; None if there is none."""
    lengths = torch.tensor([len(row) for row in rows])
    source: Tensor = pad_sequence(rows, batch_first=True, padding_value=value)
    mask = torch.arange(source.size(1)) >= lengths.unsqueeze(1)
    return source, mask if int(lengths.min()) < source.size(1) else None
