"""`index.tsv`: which items have features, in which file, under which key. It is written on as files are."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Callable, Dict, Iterable, List, Optional, TextIO

from ..files.writing import write_atomically
from .items import Item

INDEX = "index.tsv"


@dataclass(frozen=True)
class Row:
    """Where an item's features are: ``key`` is a row of a matrix, or a tensor's name, or empty for a file of its own.

    ``frames`` are those of the item, also where their mean was taken; a class token is one. ``stamp`` is the item's.
    """

    id: str
    file: str
    key: str
    frames: int
    channels: int
    stamp: str


HEADER = "\t".join(field.name for field in fields(Row))


class Index:
    """The rows of a folder by name. A file counts once its row stands here, which is after it was renamed.

    Rows whose file is gone are left out, so that it is made again.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / INDEX
        self.rows: Dict[str, Row] = {}
        self._file: Optional[TextIO] = None
        if self.path.is_file():
            self._read()

    def _read(self) -> None:
        """Take in what is there; a last line that was cut by a crash goes."""
        text = self.path.read_text("utf-8")
        header, *lines = text.split("\n")
        if header != HEADER:
            raise ValueError(f"{self.path}, line 1: got {header!r}, expected {HEADER!r}; give another `--out`")
        if lines and lines[-1]:
            write_atomically(self.path, text[: -len(lines[-1])])
        present: Dict[str, bool] = {}
        for number, line in enumerate(lines[:-1], start=2):
            cells = line.split("\t")
            if len(cells) != len(fields(Row)) or not (cells[3].isdigit() and cells[4].isdigit()):
                raise ValueError(f"{self.path}, line {number}: got {line!r}, expected {HEADER!r}; give another `--out`")
            row = Row(cells[0], cells[1], cells[2], int(cells[3]), int(cells[4]), cells[5])
            if row.file not in present:
                present[row.file] = (self.path.parent / row.file).is_file()
            if present[row.file]:
                self.rows[row.id] = row

    def has(self, item: Item) -> bool:
        """Whether the features of an item, as it now is, are there."""
        row = self.rows.get(item.name)
        return row is not None and row.stamp == item.stamp

    def add(self, rows: Iterable[Row]) -> None:
        """Note features that have been written."""
        if self._file is None:
            new = not self.path.is_file()
            self._file = self.path.open("a", encoding="utf-8", newline="\n")
            if new:
                self._file.write(HEADER + "\n")
        for row in rows:
            self.rows[row.id] = row
            self._file.write(line_of(row))
        self._file.flush()

    def sort(self, key: Callable[[Row], object]) -> None:
        """Write the whole index anew in this order."""
        self.close()
        rows: List[Row] = sorted(self.rows.values(), key=key)  # type: ignore[arg-type]
        write_atomically(self.path, HEADER + "\n" + "".join(map(line_of, rows)))
        self.rows = {row.id: row for row in rows}

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def line_of(row: Row) -> str:
    """A row as a line."""
    return "\t".join(map(str, astuple(row))) + "\n"
