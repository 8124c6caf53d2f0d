"""Tables of raw clips: a header, then for each clip its text and where its sound and its pictures are.

Columns are ``text``, ``audio`` (a file), ``vision`` (a picture, a folder of frames, or a list of them), ``id`` and
``label``; any of the first three will do. Paths count from the table's folder. An empty cell is a missing modality.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..text.delimited import Row, read_table
from ..unusable import UnusableFileError
from .sequences import MODALITIES

TEXT = "text"
HEADER = "id<TAB>vision<TAB>text<TAB>audio<TAB>label"


@dataclass(frozen=True)
class Clip:
    """A row; ``sources`` has a text, or a path, for each modality that is there."""

    name: str
    sources: Dict[str, str]
    label: Optional[str]
    line: int


@dataclass(frozen=True)
class ClipTable:
    """The rows of a table, the modalities that have a column, and whether it has labels."""

    path: Path
    modalities: Tuple[str, ...]
    labelled: bool
    clips: List[Clip]


def read_clips(path: Path) -> ClipTable:
    """Read a table.

    Raises UnusableFileError for a table that is missing or malformed, has no modality's column, gives two clips one
    name, or labels some clips and others not.
    """
    rows = read_table(path, ())
    columns = rows[0].fields
    modalities = tuple(name for name in MODALITIES if name in columns)
    if not modalities:
        raise UnusableFileError.of(
            path, f"no column `vision`, `text` or `audio`; expected a header such as {HEADER}", 1
        )
    clips = [_clip(path.parent, row, modalities) for row in rows]
    _check_names(path, clips)
    labelled = "label" in columns
    for clip in clips:
        if labelled and not clip.label:
            raise UnusableFileError.of(path, "the `label` is empty; label either all clips or none", clip.line)
    return ClipTable(path, modalities, labelled, clips)


def _clip(folder: Path, row: Row, modalities: Tuple[str, ...]) -> Clip:
    given = {name: row.fields[name] for name in modalities if row.fields[name]}
    sources = {name: value if name == TEXT else str(folder / value) for name, value in given.items()}
    return Clip(row.fields.get("id") or str(row.line), sources, row.fields.get("label"), row.line)


def _check_names(path: Path, clips: List[Clip]) -> None:
    lines: Dict[str, int] = {}
    for clip in clips:
        first = lines.setdefault(clip.name, clip.line)
        if first != clip.line:
            raise UnusableFileError.of(
                path, f"`id` {clip.name!r} is already used in line {first}; rename one", clip.line
            )
