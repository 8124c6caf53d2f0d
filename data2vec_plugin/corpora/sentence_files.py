"""Encodes a user's labelled sentences for fairseq's `sentence_prediction` task.

DIR has train.tsv, valid.tsv and, if there is one, test.tsv, whose first line names the columns: `label`, and `sentence`
or `sentence1` and `sentence2`. The labels are those of train.tsv, in alphabetical order.
"""

import math
from pathlib import Path
from typing import Tuple

from ..data.text.dictionary_file import load_dictionary
from ..files.text.delimited import tab_separated
from ..files.unusable import UnusableFileError
from ..glue.binaries import unknown_share, write_task
from ..glue.encoders import Encode
from ..glue.files import find_sources
from ..glue.tasks import Task

FILES = (("train", "train.tsv"), ("valid", "valid.tsv"), ("test", "test.tsv"))
WRITTEN = {"input0", "input1", "label"}
LABEL, COLUMNS = "label", (("sentence",), ("sentence1", "sentence2"))


def encode_sentences(root: Path, out: Path, encode: Encode, dictionary: Path, max_positions: int) -> None:
    """Read ``root``'s tables, encode them, write ``out``, and print the counts.

    Examples with more than ``max_positions`` tokens are counted. Raises ValueError for an invalid table, and for an
    ``out`` that holds other files, which would be replaced.
    """
    load_dictionary(dictionary)
    check_out(out.resolve(), root.resolve())
    task = own_task(root, out.resolve().name)
    sources = find_sources(root.resolve().parent, task)
    facts = write_task(sources, out.resolve().parent, encode, dictionary, max_positions)
    for split in facts:
        too_long = f", {split.too_long:,} with more than {max_positions} tokens" if split.too_long else ""
        left_out = f", {len(split.left_out):,} left out" if split.left_out else ""
        print(f"{split.source.split}: {split.examples:,} examples{left_out}{too_long}")
    print(f"{out}: {task.num_classes} classes, {unknown_share(facts):.2%} of the subwords unknown")
    print(f"train with task.num_classes={task.num_classes}")


def check_out(out: Path, root: Path) -> None:
    """Raise ValueError for an output folder that holds other files."""
    others = sorted({path.name for path in out.iterdir()} - WRITTEN) if out.is_dir() else []
    if others or out in (root, *root.parents):
        held = f"holds {', '.join(others[:3])}" if others else f"holds {root}"
        raise ValueError(f"--out {out} would be replaced, but {held}; give another folder")


def own_task(root: Path, name: str) -> Task:
    """The task's columns and labels, from the train file; raises ValueError if they are invalid."""
    path = root / "train.tsv"
    if not path.is_file():
        raise UnusableFileError.of(path, f"no such file; {root} must hold train.tsv and valid.tsv")
    rows = [cells for _, cells in tab_separated(path)]
    header = [cell.strip() for cell in rows[0]] if rows else []
    sentences = next((columns for columns in COLUMNS if {LABEL, *columns} <= set(header)), None)
    if sentences is None:
        raise UnusableFileError.of(
            path,
            f"got the columns {', '.join(header) or 'none'}; expected a header with `label` and `sentence`, or "
            f"`label`, `sentence1` and `sentence2`, separated by tabs",
            1,
        )
    place = header.index(LABEL)
    labels = sorted({row[place].strip() for row in rows[1:] if len(row) > place} - {""})
    if len(labels) < 2:
        raise UnusableFileError.of(path, f"its labels are {', '.join(labels) or 'none'}; expected two or more")
    spaced = [label for label in labels if " " in label]
    if spaced:
        raise UnusableFileError.of(
            path, f"the label {spaced[0]!r} contains a space, which fairseq's dictionaries do not support"
        )
    return _task(name, root, sentences, tuple(labels))


def _task(name: str, root: Path, sentences: Tuple[str, ...], labels: Tuple[str, ...]) -> Task:
    unpublished = (math.nan,)
    return Task(
        name=name,
        folder=root.resolve().name,
        sentences=sentences,
        label=LABEL,
        labels=labels,
        metric="accuracy",
        metric_title="acc",
        published=(unpublished, unpublished, unpublished),
        files=tuple((split, file) for split, file in FILES if split != "test" or (root / file).is_file()),
        labelled_test=True,
    )
