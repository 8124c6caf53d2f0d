"""Tables on the terminal: by rich if it is installed, or else as plain columns."""

from itertools import zip_longest
from typing import List, Sequence, Tuple

Row = Tuple[str, ...]


def print_table(title: str, header: Row, rows: Sequence[Row]) -> None:
    """Prints a titled table to stdout."""
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        print(plain_table(title, header, rows))
        return
    table = Table(title=title, title_justify="left")
    for name in header:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # brackets in a cell are no markup
    Console().print(table)


def plain_table(title: str, header: Row, rows: Sequence[Row]) -> str:
    """The table as text: a cell of several lines makes a row of several lines."""
    lines = [line for row in rows for line in _lines_of(row)]
    widths = [max(len(line[i]) for line in (header, *lines)) for i in range(len(header))]
    ruler = tuple("-" * width for width in widths)
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in (header, ruler, *lines)
    ]
    return "\n".join(["", title, *table])


def _lines_of(row: Row) -> List[Row]:
    return list(zip_longest(*(cell.split("\n") for cell in row), fillvalue=""))
