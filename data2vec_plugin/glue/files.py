"""Read the official GLUE files as they are.

They are tab-separated without any quoting: a double quote is an ordinary character. Some begin with a byte order mark,
some have CRLF line ends. A line ends at a line feed only, since some sentences contain other characters that Python
treats as line ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..files.text.delimited import tab_separated
from ..files.unusable import UnusableFileError, shown, some
from .tasks import Task

MRPC_TRAIN, MRPC_TEST = "msr_paraphrase_train.txt", "msr_paraphrase_test.txt"
MRPC_DEV_IDS = ("dev_ids.tsv", "mrpc_dev_ids.tsv")
MRPC_IDS = ("#1 ID", "#2 ID")
FEW_LINES, SMALL_SHARE = 10, 0.01  # lines that may be skipped before the file is rejected


class Example(NamedTuple):
    """One line of a file: its sentences, stripped of blanks, and its label."""

    line: int
    sentences: tuple[str, ...]
    label: str | None  # None in a test set


class LeftOut(NamedTuple):
    """A line that is not used, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Source:
    """A split and the file that it is read from.

    `dev_ids` are pairs of sentence ids: in MRPC's original release, the train file holds the dev set too.
    """

    task: Task
    split: str
    path: Path
    dev_ids: frozenset[tuple[str, ...]] = frozenset()

    @property
    def labelled(self) -> bool:
        """Whether its labels are used; those of test sets are missing or meaningless."""
        return self.task.labelled_test or not self.split.startswith("test")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names, for a file without header."""
        return self.task.columns if self.labelled else ()


def find_sources(root: Path, task: Task) -> list[Source]:
    """The files of a task's splits; the test sets only if they exist.

    Raises:
        ValueError: the folder or the file of another split is missing, or a header is not the task's.
    """
    folder = root / task.folder
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; {root} has {_inside(root)}")
    sources = _raw_mrpc(folder, task) or [Source(task, split, folder / name) for split, name in task.files]
    sources = [source for source in sources if source.labelled or source.path.is_file()]
    for source in sources:
        if not source.path.is_file():
            raise ValueError(f"{source.path}: no such file; {folder} has {_inside(folder)}")
        _check_header(source)
    return sources


def _raw_mrpc(folder: Path, task: Task) -> list[Source]:
    """MRPC's sources if it has not been split yet; none for other tasks."""
    path = folder / MRPC_TRAIN
    if task.name != "mrpc" or (folder / "train.tsv").is_file() or not path.is_file():
        return []
    ids = next((folder / name for name in MRPC_DEV_IDS if (folder / name).is_file()), None)
    if ids is None:
        raise ValueError(
            f"{path}: the dev set is a part of this file, but {MRPC_DEV_IDS[0]}, which lists it, is not next to it; "
            "copy it there from the GLUE download, or give train.tsv and dev.tsv"
        )
    pairs = []
    for number, words in tab_separated(ids):
        if len(words) != len(MRPC_IDS):
            got = shown("\t".join(words))
            raise UnusableFileError.of(ids, f"got {got}; expected the ids of two sentences, separated by a tab", number)
        pairs.append(tuple(word.strip() for word in words))
    dev_ids = frozenset(pairs)
    if not dev_ids:
        raise ValueError(f"{ids}: no ids; expected those of two sentences per line, separated by a tab")
    return [
        Source(task, "train", path, dev_ids),
        Source(task, "valid", path, dev_ids),
        Source(task, "test", folder / MRPC_TEST),
    ]


def _inside(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return some(names, limit=12) or "nothing"


def read_examples(source: Source, left_out: list[LeftOut]) -> Iterator[Example]:
    """Every example of a split, in order; the lines that are not used are appended to `left_out`.

    Train and dev sets are read without lines that have an empty sentence and, for QQP, whose official files have some,
    without lines of another number of columns. A test set keeps every line, so that the n-th answer is the n-th line's.

    Raises:
        ValueError: a line has too few columns, a byte is not UTF-8, a label is not the task's, a target is no number,
            there is no example, or more lines would be skipped than official files have faults.
    """
    rows = tab_separated(source.path)
    columns = source.columns or _header(source)
    if not source.columns:
        next(rows)
    places = [columns.index(name) for name in source.task.sentences]
    label_place = columns.index(source.task.label) if source.labelled else None
    before, used = len(left_out), 0
    for number, cells in rows:
        if source.dev_ids and not _is_of_split(source, columns, cells):
            continue
        fault = _column_fault(source, number, cells, columns)
        sentences = () if fault else tuple(cells[place].strip() for place in places)
        if source.labelled and not fault and not all(sentences):
            fault = "empty sentence"
        if fault:
            left_out.append(LeftOut(number, fault))
            continue
        label = None if label_place is None else _label(source, number, cells[label_place].strip())
        used += 1
        yield Example(number, sentences, label)
    _check_amount(source, used, left_out[before:])


def _header(source: Source) -> tuple[str, ...]:
    cells = next(tab_separated(source.path), (1, [""]))[1]
    return tuple(name.strip() for name in cells)


def _check_header(source: Source) -> None:
    """Raise ValueError unless the file's first line names the columns that are read."""
    if source.columns:
        return
    header = _header(source)
    needed = [*source.task.sentences, *([source.task.label] if source.labelled else [])]
    needed += MRPC_IDS if source.dev_ids else ()
    for name in needed:
        if name not in header:
            raise ValueError(
                f"{source.path}, line 1: no column `{name}`; got {', '.join(header) or 'an empty line'}; expected a "
                f"header with {', '.join(needed)}, as in GLUE's {source.task.folder}"
            )


def _is_of_split(source: Source, columns: tuple[str, ...], cells: list[str]) -> bool:
    """Whether a line of MRPC's combined file belongs to this split; a line that is too short belongs to train."""
    ids = tuple(cells[columns.index(name)].strip() for name in MRPC_IDS if columns.index(name) < len(cells))
    return (ids in source.dev_ids) == (source.split == "valid")


def _column_fault(source: Source, number: int, cells: list[str], columns: tuple[str, ...]) -> str:
    """Describe a wrong number of columns if the task's official files have such lines; empty if the number is right.

    Raises:
        ValueError: there are too few, and the official files have no such lines.
    """
    if len(cells) == len(columns):
        return ""
    if source.task.has_faulty_lines and source.labelled:
        return f"{len(cells)} columns instead of {len(columns)}"
    if len(cells) < len(columns):
        got = shown("\t".join(cells))
        raise UnusableFileError.of(
            source.path,
            f"got {len(cells)} columns ({got}); expected {len(columns)}: {', '.join(columns)}; the line was cut off or "
            f"its tabs were lost: download the file again",
            number,
        )
    return ""  # additional columns at the end do no harm: the label is checked


def _label(source: Source, number: int, text: str) -> str:
    """The label as it is written, or a regression target as a fraction of the highest.

    Raises:
        ValueError: it is not the task's.
    """
    task, place = source.task, f"{source.path}, line {number}"
    if not task.regression:
        if text not in task.labels:
            raise ValueError(
                f"{place}: the label is {text!r}; expected one of {', '.join(task.labels)} in the column "
                f"`{task.label}`; correct the line, or see whether a tab is in a sentence"
            )
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= task.highest:  # also rejects nan
        raise ValueError(
            f"{place}: the score is {text!r}; expected a number from 0 to {task.highest:g} in the column "
            f"`{task.label}`; correct the line, or see whether a tab is in a sentence"
        )
    return f"{value / task.highest:.6g}"


def _check_amount(source: Source, used: int, left_out: list[LeftOut]) -> None:
    """Raise ValueError if a file has no examples, or too many invalid lines."""
    if not used and not left_out:
        raise ValueError(f"{source.path}: no example for {source.split}; expected one per line after the header")
    if not used or (len(left_out) > FEW_LINES and len(left_out) > SMALL_SHARE * (used + len(left_out))):
        lines = some(f"line {line} ({reason})" for line, reason in left_out)
        raise ValueError(
            f"{source.path}: {len(left_out)} of {used + len(left_out)} lines are not valid examples: {lines}; the "
            "official file has a handful at most: download it again"
        )
