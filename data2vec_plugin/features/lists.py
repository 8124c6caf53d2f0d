"""Lists of items: a folder, a fairseq manifest, one path or text per line, a column of a table; or one file."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from ..files.folders import PACKED, Walk
from ..files.media.audio import ENDINGS as AUDIO_ENDINGS
from ..files.media.pictures import ENDINGS as IMAGE_ENDINGS
from ..files.media.pictures import UNREAD
from ..files.text.delimited import tab_separated
from ..files.text.manifests import manifest_entries, manifest_root
from ..files.text.text_lines import numbered_lines
from ..files.unusable import UnusableFileError
from .items import Item

ENDINGS = {"speech": AUDIO_ENDINGS, "image": IMAGE_ENDINGS}


def read_items(path: Path, modality: str, root: Optional[Path] = None, column: Optional[str] = None) -> List[Item]:
    """The items of ``--input`` in its order, each once.

    Relative paths in a list are relative to ``root``, or else to the current folder. Raises ValueError for a list that
    is missing, empty, or of a kind that the modality does not support.
    """
    if not path.exists():
        raise ValueError(f"`--input` {path} does not exist; give a folder or a list")
    if column is not None and (modality != "text" or path.suffix != ".tsv"):
        raise ValueError(f"`--column` requires a .tsv of texts; `--input` is {path}, and the model reads {modality}")
    if root is not None and (modality == "text" or path.is_dir() or path.suffix == ".tsv"):
        raise ValueError("`--root` requires a list of paths; a folder or a manifest has its own root")
    items = _texts(path, column) if modality == "text" else _files(path, ENDINGS[modality], root)
    found = unique(items)
    if not found:
        held = f"no file with extension {', '.join(ENDINGS[modality])}" if path.is_dir() else "no line"
        raise ValueError(f"`--input` {path} has {held}; there is nothing to extract features from")
    return found


def unique(items: Iterable[Item]) -> List[Item]:
    """Each item once; raises ValueError for two that would be stored as one, or for a name that no index can hold."""
    found: Dict[str, Item] = {}
    for item in items:
        first = found.setdefault(item.name, item)
        if first.source != item.source:
            raise ValueError(
                f"{first.source} and {item.source} would both be stored as {item.name!r}; rename one of them, or "
                f"list them separately with another `--out`"
            )
        if set(item.name) & set("\t\r\n"):
            raise ValueError(f"{item.place}: has a tab or a line break in its name; rename it or remove it")
    return list(found.values())


def _texts(path: Path, column: Optional[str]) -> Iterator[Item]:
    """Texts by the number of their line; a table's header is line 1."""
    if path.is_dir():
        raise ValueError(f"`--input` {path} is a folder; for text give a file with one item per line, or a .tsv")
    for number, text in _column(path, column) if path.suffix == ".tsv" else numbered_lines(path):
        text = text.strip()
        stamp = hashlib.sha1(text.encode()).hexdigest()[:12]
        yield Item(f"{number:08d}", f"{path}:{number}", text, stamp=stamp)


def _column(path: Path, column: Optional[str]) -> Iterator[Tuple[int, str]]:
    """Lines and cells of a table's column, empty ones too; raises ValueError if the table has no such column."""
    rows = tab_separated(path)
    names = [name.strip() for name in next(rows, (1, [""]))[1]]
    if column not in names:
        raise UnusableFileError.of(path, f"`--column` is {column}; expected one of the table's: {', '.join(names)}")
    place = names.index(column)
    for number, cells in rows:
        yield number, cells[place] if place < len(cells) else ""


def _files(path: Path, endings: Tuple[str, ...], root: Optional[Path]) -> Iterator[Item]:
    if path.is_dir():
        walk = Walk(path, endings, {**UNREAD, **PACKED})
        for name in walk.files():
            yield Item(mirrored(name, endings), str(path / name), str(path / name))
        for line in walk.passed.lines():
            print(f"skipped {line}", file=sys.stderr)
    elif path.suffix.lower() in endings:
        yield Item(mirrored(path.name, endings), str(path), str(path))
    elif path.suffix == ".tsv":
        folder = manifest_root(path)
        for entry in manifest_entries(path):
            file = folder / entry.path
            yield Item(mirrored(entry.path, endings), f"{path}:{entry.line}: {file}", str(file), entry.frames)
    else:
        for number, line in numbered_lines(path):
            line = line.strip()
            if line:
                file = (root or Path()) / line
                yield Item(mirrored(line, endings), f"{path}:{number}: {file}", str(file))


def mirrored(path: str, endings: Tuple[str, ...]) -> str:
    """The name below the output folder for a path, independent of the rest of the list.

    >>> mirrored("./a/b.flac", (".flac",)), mirrored("/data/b.v2", (".flac",))
    ('a/b', 'data/b.v2')
    """
    clean = os.path.normpath(path)
    if clean.split(os.sep)[0] == os.pardir:
        clean = os.path.abspath(clean)
    stem, ending = os.path.splitext(clean.lstrip(os.sep))
    return Path(stem if ending.lower() in endings else stem + ending).as_posix()
