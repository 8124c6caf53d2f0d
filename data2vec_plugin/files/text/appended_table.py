"""A table of tab-separated rows that is appended to as work proceeds: its rows remain valid after a crash."""

from __future__ import annotations

from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Callable, Dict, Generic, Iterable, List, Optional, TextIO, Type, TypeVar

from ..writing import write_atomically

Row = TypeVar("Row")


class AppendedTable(Generic[Row]):
    """The rows of a table by their first cell; of two rows with the same name, the later one counts.

    Args:
        path: the file of the table, which need not exist.
        kind: a dataclass of strings and whole numbers, the first of which names a row.

    Raises:
        ValueError: a line of the file is not such a row.
    """

    def __init__(self, path: Path, kind: Type[Row]) -> None:
        self.path = path
        self.kind = kind
        self.columns = fields(kind)  # type: ignore[arg-type]
        self.header = "\t".join(column.name for column in self.columns)
        self.rows: Dict[str, Row] = {}
        self._file: Optional[TextIO] = None
        if self.path.is_file():
            self._read()

    def _read(self) -> None:
        """Read the existing rows, and remove a last line that was truncated by a crash."""
        text = self.path.read_text("utf-8")
        header, *lines = text.split("\n")
        if header != self.header:
            raise self._wrong(1, header)
        if lines and lines[-1]:
            write_atomically(self.path, text[: -len(lines[-1])])
        for number, line in enumerate(lines[:-1], start=2):
            cells = line.split("\t")
            if len(cells) != len(self.columns) or not all(map(self._fits, self.columns, cells)):
                raise self._wrong(number, line)
            values = [int(cell) if _is_number(column) else cell for column, cell in zip(self.columns, cells)]
            self.rows[cells[0]] = self.kind(*values)

    def _fits(self, column: Any, cell: str) -> bool:
        return cell.isdigit() or not _is_number(column)

    def _wrong(self, number: int, line: str) -> ValueError:
        return ValueError(f"{self.path}, line {number}: got {line!r}, expected {self.header!r}; choose another `--out`")

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows to the table and its file."""
        if self._file is None:
            new = not self.path.is_file()
            self._file = self.path.open("a", encoding="utf-8", newline="\n")
            if new:
                self._file.write(self.header + "\n")
        for row in rows:
            self.rows[self.name_of(row)] = row
            self._file.write(line_of(row))
        self._file.flush()

    def sort(self, key: Callable[[Row], Any]) -> None:
        """Rewrite the whole table in the order of ``key``."""
        self.close()
        rows: List[Row] = sorted(self.rows.values(), key=key)
        write_atomically(self.path, self.header + "\n" + "".join(map(line_of, rows)))
        self.rows = {self.name_of(row): row for row in rows}

    def name_of(self, row: Row) -> str:
        """A row's first cell."""
        return str(getattr(row, self.columns[0].name))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _is_number(column: Any) -> bool:
    return column.type in (int, "int")


def line_of(row: Any) -> str:
    """A row as a line."""
    return "\t".join(map(str, astuple(row))) + "\n"
