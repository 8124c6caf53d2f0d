"""Lists of items: a folder, a fairseq manifest, paths or texts a line, a column of a table; or one file."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional, Tuple

from ..data.manifest import manifest_lines, manifest_root
from ..files.audio import ENDINGS as AUDIO_ENDINGS
from ..files.folders import PACKED, Walk
from ..files.pictures import ENDINGS as IMAGE_ENDINGS
from ..files.pictures import UNREAD
from ..files.text_lines import decoded
from .items import Item

ENDINGS = {"speech": AUDIO_ENDINGS, "image": IMAGE_ENDINGS}


def read_items(path: Path, modality: str, root: Optional[Path] = None, column: Optional[str] = None) -> List[Item]:
    """The items of ``--input`` in its order, each once.

    Relative paths of a list count from ``root``, or else from the folder where the user stands. Raises ValueError for
    a list that is missing, empty, or of another kind than the modality has.
    """
    if not path.exists():
        raise ValueError(f"`--input` {path} does not exist; give a folder or a list")
    if column is not None and (modality != "text" or path.suffix != ".tsv"):
        raise ValueError(f"`--column` belongs to a .tsv of texts; `--input` is {path}, and the model reads {modality}")
    if root is not None and (modality == "text" or path.is_dir() or path.suffix == ".tsv"):
        raise ValueError("`--root` belongs to a list of paths; a folder or a manifest says itself where its files are")
    items = _texts(path, column) if modality == "text" else _files(path, ENDINGS[modality], root)
    found = unique(items)
    if not found:
        held = f"no file that ends in {', '.join(ENDINGS[modality])}" if path.is_dir() else "no line"
        raise ValueError(f"`--input` {path} has {held}; there is nothing to make features of")
    return found


def unique(items: Iterable[Item]) -> List[Item]:
    """Each item once; raises ValueError for two that would be stored as one, and for a name that an index cannot."""
    found: Dict[str, Item] = {}
    for item in items:
        first = found.setdefault(item.name, item)
        if first.source != item.source:
            raise ValueError(
                f"{first.source} and {item.source} would both be stored as {item.name!r}; rename one of them, or "
                f"list them apart with another `--out`"
            )
        if set(item.name) & set("\t\r\n"):
            raise ValueError(f"{item.place}: has a tab or a line break in its name; rename it or take it out")
    return list(found.values())


def _texts(path: Path, column: Optional[str]) -> Iterator[Item]:
    """Texts by the number of their line; that of a table's header is 1."""
    if path.is_dir():
        raise ValueError(f"`--input` {path} is a folder; for text give a file with an item a line, or a .tsv")
    place = _column(path, column) if path.suffix == ".tsv" else None
    for number, line in _lines(path):
        if place is not None and number == 1:
            continue
        cells = line.split("\t")
        text = line if place is None else (cells[place].strip() if place < len(cells) else "")
        stamp = hashlib.sha1(text.encode()).hexdigest()[:12]
        yield Item(f"{number:08d}", f"{path}:{number}", text, stamp=stamp)


def _column(path: Path, column: Optional[str]) -> int:
    """The place of a table's column; raises ValueError if the table has none of that name."""
    header = next((line for _, line in _lines(path)), "").split("\t")
    names = [name.strip() for name in header]
    if column not in names:
        raise ValueError(f"{path}: `--column` is {column}; expected one of the table's: {', '.join(names)}")
    return names.index(column)


def _files(path: Path, endings: Tuple[str, ...], root: Optional[Path]) -> Iterator[Item]:
    if path.is_dir():
        walk = Walk(path, endings, {**UNREAD, **PACKED})
        for name in walk.files():
            yield Item(mirrored(name, endings), str(path / name), str(path / name))
        for line in walk.passed.lines():
            print(f"passed over {line}", file=sys.stderr)
    elif path.suffix.lower() in endings:
        yield Item(mirrored(path.name, endings), str(path), str(path))
    elif path.suffix == ".tsv":
        folder = manifest_root(path)
        for number, name, samples in manifest_lines(path):
            file = folder / name
            yield Item(mirrored(name, endings), f"{path}:{number}: {file}", str(file), samples)
    else:
        for number, line in _lines(path):
            if line:
                file = (root or Path()) / line
                yield Item(mirrored(line, endings), f"{path}:{number}: {file}", str(file))


def _lines(path: Path) -> Iterator[Tuple[int, str]]:
    """Lines, which end at a line feed only, and their numbers from 1; raises ValueError for what is not UTF-8."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            yield number, decoded(path, number, line)


def mirrored(path: str, endings: Tuple[str, ...]) -> str:
    """A name below the output folder for a path, whatever else is in the list.

    >>> mirrored("./a/b.flac", (".flac",)), mirrored("/data/b.v2", (".flac",))
    ('a/b', 'data/b.v2')
    """
    clean = os.path.normpath(path)
    if clean.split(os.sep)[0] == os.pardir:
        clean = os.path.abspath(clean)
    stem, ending = os.path.splitext(clean.lstrip(os.sep))
    return Path(stem if ending.lower() in endings else stem + ending).as_posix()
