"""`data2vec glue prepare`: from the official download to fairseq's binaries."""

from __future__ import annotations

import sys
from pathlib import Path

from ..data.text.dictionary_file import load_dictionary
from ..files.locks import writing
from ..files.unusable import some
from ..runs.tables import print_table
from .binaries import SplitFacts, unknown_share, write_task
from .encoders import Encode
from .files import find_sources
from .tasks import LEFT_OUT, TASKS, Task, choose

SHOWN_LINES = 10


def prepare(root: Path, out: Path, encode: Encode, dictionary: Path, names: str | None, max_positions: int) -> None:
    """Write the chosen tasks, or all that exist, to `out`; print the counts of each file.

    Raises:
        ValueError: a task or file is missing, or a file is not in GLUE's format.
    """
    load_dictionary(dictionary)
    everything = [find_sources(root, task) for task in find_tasks(root, names)]  # check everything before the slow part
    facts: list[list[SplitFacts]] = []
    with writing(out):
        for sources in everything:
            facts.append(write_task(sources, out, encode, dictionary, max_positions))
            for split in facts[-1]:
                tell(split, max_positions)
    show(facts, out)


def find_tasks(root: Path, names: str | None) -> list[Task]:
    """The named tasks, or those whose folders exist; reports skipped folders.

    Raises:
        ValueError: there is no such task, or none of them in the folder.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such folder; expected the GLUE download, a folder with CoLA, MNLI, …")
    if names is not None:
        return choose(names)
    folders = {path.name for path in root.iterdir() if path.is_dir()}
    found = [task for task in TASKS.values() if task.folder in folders]
    if not found:
        wanted = ", ".join(task.folder for task in TASKS.values())
        raise ValueError(
            f"{root}: none of GLUE's folders ({wanted}); got {some(sorted(folders), 8) or 'no folder'}; "
            "give the unpacked download, the folder that holds them"
        )
    for name in sorted(folders & set(LEFT_OUT)):
        print(f"{name} is skipped: {LEFT_OUT[name]}", file=sys.stderr)
    missing = [task.folder for task in TASKS.values() if task not in found]
    if missing:
        print(f"not in {root}, so not prepared: {', '.join(missing)}", file=sys.stderr)
    return found


def tell(split: SplitFacts, max_positions: int) -> None:
    """Print which lines of a file are not used, and how many examples are too long."""
    if split.left_out:
        lines = some((f"line {line} ({reason})" for line, reason in split.left_out), SHOWN_LINES)
        print(f"{split.source.path}: skipped {len(split.left_out)} for {split.source.split}: {lines}", file=sys.stderr)
    if split.too_long:
        print(
            f"{split.source.path}: {split.too_long} of {split.examples} examples have more than {max_positions} "
            "tokens; train with task.shorten_method=truncate to shorten them, since fairseq drops or rejects them",
            file=sys.stderr,
        )


def show(facts: list[list[SplitFacts]], out: Path) -> None:
    """Print one row per task."""
    header = ("task", "train", "valid", "test", "skipped", "too long", "unknown subwords")
    rows = []
    for splits in facts:
        cells = [_lines(splits, kind) for kind in ("train", "valid", "test")]
        left_out, too_long = sum(len(split.left_out) for split in splits), sum(split.too_long for split in splits)
        share = f"{unknown_share(splits):.3%}"
        rows.append((splits[0].source.task.name, *cells, str(left_out), str(too_long), share))
    print_table(f"examples in {out}", header, rows)


def _lines(splits: list[SplitFacts], kind: str) -> str:
    """Examples of the train, dev or test sets; of MNLI, matched + mismatched."""
    counts = [f"{split.examples:,}" for split in splits if split.source.split.startswith(kind)]
    return " + ".join(counts) or "-"
