"""What features are made of: an item of a list, the input that it gives, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Protocol, Tuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class BadItemError(ValueError):
    """An item without features; the message says why, the item where it stands."""


@dataclass(frozen=True)
class Item:
    """One entry of a list.

    ``name`` is what its features are found by: its path without ending, or the number of its line. ``place`` is for
    messages. ``source`` is the file's path, or the text itself. ``samples`` is what a manifest states, or None.
    ``stamp`` tells a line that has changed since its features were made; a file is known by its name alone.
    """

    name: str
    place: str
    source: str
    samples: Optional[int] = None
    stamp: str = ""


@dataclass(frozen=True)
class Input:
    """An item that has been looked at: ``size`` is what a batch counts, ``load`` reads the model's input."""

    item: Item
    size: int
    load: Callable[[], Tensor]


class Reader(Protocol):
    """How items of one modality become batches."""

    unit: str
    """What sizes count, for people."""
    default_batch: float
    """How many of :attr:`unit` are a batch, unless told otherwise."""
    sizes_per_unit: int
    """Sizes are counted finer than people do: samples in a second."""

    def settings(self) -> Dict[str, object]:
        """What, besides the weights, decides how features come out."""

    def look(self, item: Item) -> Input:
        """Size up an item without reading all of it; raises :class:`BadItemError`. Called from several threads."""

    def take(self, value: object, item: Item) -> Input:
        """The same of what is in memory, or of a file's path; ``item`` says its place. Raises :class:`BadItemError`."""

    def collate(self, rows: List[Tensor]) -> Tuple[Tensor, Optional[Tensor]]:
        """Rows -> the model's ``source`` and its padding mask, True where padded, None where nothing is."""

    def span(self, row: Tensor, width: int) -> slice:
        """Which of the ``width`` outputs belong to the input ``row`` and are not padding."""

    def remarks(self) -> List[str]:
        """What is to be said of the items since it was last asked: what was cut, or looks wrong."""


def padded(rows: List[Tensor], value: int) -> Tuple[Tensor, Optional[Tensor]]:
    """Rows (T,) -> (B, T) with ``value`` behind the shorter ones, and True where that is; None if it is nowhere."""
    lengths = torch.tensor([len(row) for row in rows])
    source: Tensor = pad_sequence(rows, batch_first=True, padding_value=value)
    mask = torch.arange(source.size(1)) >= lengths.unsqueeze(1)
    return source, mask if int(lengths.min()) < source.size(1) else None
