"""Names of a classifier's classes, in both formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Mapping, Optional, Sequence

from ..files.text.text_lines import read_lines
from .modality import Beside

FILE = "labels.txt"


def read_labels(path: Path) -> List[str]:
    """Class names, one per line; raises ValueError if the file does not exist."""
    if not path.is_file():
        raise ValueError(f"`--labels`: {path} does not exist; give a file with one class name per line")
    return read_lines(path)


def name_classes(beside: Beside, count: int, given: Optional[Path], found: Optional[Sequence[str]] = None) -> None:
    """Add class names to Hugging Face's configuration: those of a file, or those ``found``; or only their number.

    Raises ValueError if the number of names is not ``count``.
    """
    names = found if given is None else read_labels(given)
    if names is None:
        beside.keys["num_labels"] = count
        beside.notes.append(f"{count} classes without names; give them with `--labels FILE`, one per line")
        return
    if len(names) != count:
        raise ValueError(f"`--labels`: {given or 'the dictionary'} names {len(names)} classes, the model has {count}")
    beside.keys["id2label"] = {str(row): name for row, name in enumerate(names)}
    beside.keys["label2id"] = {name: row for row, name in enumerate(names)}


def keep_names(beside: Beside, hf: Mapping[str, Any]) -> int:
    """Number of classes in a Hugging Face configuration; the names, if there are any, go to a file."""
    named = {int(row): str(name) for row, name in (hf.get("id2label") or {}).items()}
    count = len(named) or int(hf.get("num_labels") or hf.get("_num_labels") or 2)
    names = [named.get(row, f"LABEL_{row}") for row in range(count)]
    if names != [f"LABEL_{row}" for row in range(count)]:
        beside.files[FILE] = "".join(f"{' '.join(name.split())}\n" for name in names)
        beside.notes.append(f"fairseq keeps class names in the data, not in checkpoints: they were written to {FILE}")
    return count
