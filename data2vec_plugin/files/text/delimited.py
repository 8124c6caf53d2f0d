"""Tables whose first line names their columns: with tabs, or with commas."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Tuple

from ..unusable import UnusableFileError
from .text_lines import numbered_lines, without_empty_end

Cells = Tuple[int, List[str]]


@dataclass(frozen=True)
class Row:
    """A row: the line that it begins in, and its values by column, without blanks around them."""

    line: int
    fields: Dict[str, str]


def tab_separated(path: Path) -> Iterator[Cells]:
    """Yield the number, from 1, and the cells of every line. Quotes are plain text, as in GLUE and Common Voice.

    Empty lines at the end do not count. Raises :class:`UnusableFileError` for a byte that is not UTF-8.
    """
    for number, line in without_empty_end(numbered_lines(path)):
        yield number, line.split("\t")


def read_table(path: Path, required: Iterable[str]) -> List[Row]:
    """Read the rows below the header, without empty lines. A tab in the header makes the table tab-separated.

    With commas, values that contain a comma, a quote or a line break must be quoted.

    Raises:
        UnusableFileError: the file is missing or not a table; a column is missing or occurs twice; a row lacks a
        required value, or has more cells than the header.
    """
    required = list(required)
    header = next((line for _, line in numbered_lines(path)), "")
    lines = tab_separated(path) if "\t" in header else _comma_separated(path)
    _, columns = next(lines, (1, []))
    columns = [name.strip() for name in columns]
    _check_header(path, columns, required)
    rows = [_row(path, number, cells, columns, required) for number, cells in lines if cells not in ([], [""])]
    if not rows:
        raise UnusableFileError.of(path, "has a header, but no lines below it")
    return rows


def _comma_separated(path: Path) -> Iterator[Cells]:
    """Yield the cells of each row, and the line in which they begin."""
    reader = csv.reader((line + "\n" for _, line in numbered_lines(path)), strict=True)
    while True:
        begin = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise UnusableFileError.of(
                path,
                f"is not valid CSV ({error}): a quote is not closed, or is inside a value; double quotes inside "
                "quoted values, or separate the columns by tabs, where quotes are plain text",
                begin,
            ) from error
        yield begin, cells


def _check_header(path: Path, columns: List[str], required: Iterable[str]) -> None:
    for name in required:
        if name not in columns:
            raise UnusableFileError.of(
                path,
                f"no column `{name}`; got {', '.join(columns) or 'nothing'}; expected a header such as "
                f"`path,text,split`, with commas or tabs",
                1,
            )
    twice = [name for name, count in Counter(columns).items() if count > 1 and name]
    if twice:
        raise UnusableFileError.of(path, f"two columns are called `{twice[0]}`; rename one", 1)


def _row(path: Path, line: int, cells: List[str], columns: List[str], required: Iterable[str]) -> Row:
    if any(cell.strip() for cell in cells[len(columns) :]):
        raise UnusableFileError.of(
            path,
            f"{len(cells)} cells, but the header has {len(columns)} ({', '.join(columns)}); quote values that contain "
            "commas, and remove tabs from texts",
            line,
        )
    values = [cell.strip() for cell in cells] + [""] * (len(columns) - len(cells))
    fields = dict(zip(columns, values))
    for name in required:
        if not fields[name]:
            raise UnusableFileError.of(path, f"the `{name}` is empty", line)
    return Row(line, fields)
