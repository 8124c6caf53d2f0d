"""What the outputs of a classifier are called, on either side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence

from ..files.text.text_lines import read_lines
from .modality import Beside

FILE = "labels.txt"


def read_labels(path: Path) -> List[str]:
    """Names of classes, one a line; raises ValueError if there is no such file."""
    if not path.is_file():
        raise ValueError(f"`--labels`: {path} does not exist; give a file with the name of a class on every line")
    return read_lines(path)


def name_classes(beside: Beside, count: int, given: Optional[Path], found: Optional[Sequence[str]] = None) -> None:
    """Add the names to their configuration: those of a file, or those ``found``; or only how many there are.

    Raises ValueError for a file that names another number of classes than ``count``.
    """
    names = found if given is None else read_labels(given)
    if names is None:
        beside.keys["num_labels"] = count
        beside.notes.append(f"{count} classes without names; give them with `--labels FILE`, one a line")
        return
    if len(names) != count:
        raise ValueError(f"`--labels`: {given or 'the dictionary'} names {len(names)} classes, the model has {count}")
    beside.keys["id2label"] = {str(row): name for row, name in enumerate(names)}
    beside.keys["label2id"] = {name: row for row, name in enumerate(names)}


def keep_names(beside: Beside, hf: Mapping[str, Any]) -> int:
    """How many classes a configuration of theirs has; their names, where they have any, go into a file."""
    named = {int(row): str(name) for row, name in (hf.get("id2label") or {}).items()}
    count = len(named) or int(hf.get("num_labels") or hf.get("_num_labels") or 2)
    names = [named.get(row, f"LABEL_{row}") for row in range(count)]
    if names != [f"LABEL_{row}" for row in range(count)]:
        beside.files[FILE] = "".join(f"{' '.join(name.split())}\n" for name in names)
        beside.notes.append(f"fairseq's data names classes, not its checkpoints: their names are in {FILE}")
    return count
