"""`index.tsv`: which items have features, in which file, under which key. Rows are appended as files are written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict

from ..files.text.appended_table import AppendedTable
from .items import Item

INDEX = "index.tsv"


@dataclass(frozen=True)
class Row:
    """Where an item's features are: ``key`` is a row of a matrix, a tensor's name, or empty for a separate file.

    ``frames`` are those of the item, even if pooled by their mean; a class token is one. ``stamp`` is the item's.
    """

    id: str
    file: str
    key: str
    frames: int
    channels: int
    stamp: str


class Index(AppendedTable[Row]):
    """The rows of a folder by name. A file is valid once its row is here, which is written after it was renamed.

    Rows whose file is missing are dropped, so that it is computed again.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / INDEX, Row)
        present: Dict[str, bool] = {}
        for row in self.rows.values():
            if row.file not in present:
                present[row.file] = (folder / row.file).is_file()
        self.rows = {name: row for name, row in self.rows.items() if present[row.file]}

    def has(self, item: Item) -> bool:
        """Whether the features of the current version of an item exist."""
        row = self.rows.get(item.name)
        return row is not None and row.stamp == item.stamp
