"""Files and folders of the command line -> recordings, each with the name of its transcript."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Sequence

from ...features.items import Item
from ...features.lists import mirrored, unique
from ...files.folders import PACKED, Walk
from ...files.media import audio, ffmpeg
from ...files.media.sounds import WITHOUT


def recordings(inputs: Sequence[Path], to_files: bool) -> List[Item]:
    """The recordings of files and folders in order, each once, named by their paths below their common folder.

    Raises ValueError for an input that does not exist, if there are no recordings, and if two of them would be written
    ``to_files`` with the same name.
    """
    for each in inputs:
        if not each.exists():
            raise ValueError(f"{each} does not exist; give recordings, or folders of them")
    folders = [os.path.abspath(each if each.is_dir() else each.parent) for each in inputs]
    base = os.path.commonpath(folders)
    found = [item for each in inputs for item in _below(each, base)]
    if not found:
        raise ValueError(f"{', '.join(map(str, inputs))}: no file with extension {', '.join(endings())}")
    return unique(found) if to_files else list({item.source: item for item in found}.values())


def endings() -> tuple[str, ...]:
    """Extensions of the files that are read from folders."""
    return audio.ENDINGS + (ffmpeg.ENDINGS if ffmpeg.is_there() else ())


def _below(path: Path, base: str) -> Iterator[Item]:
    """A file, or those of a folder; skipped files are reported."""
    if not path.is_dir():
        yield _item(path, base)
        return
    unread: Dict[str, str] = {} if ffmpeg.is_there() else dict.fromkeys(ffmpeg.ENDINGS, WITHOUT)
    walk = Walk(path, endings(), {**unread, **PACKED})
    for name in walk.files():
        yield _item(path / name, base)
    for line in walk.passed.lines():
        print(f"skipped {line}", file=sys.stderr)


def _item(path: Path, base: str) -> Item:
    name = mirrored(os.path.relpath(os.path.abspath(path), base), audio.ENDINGS + ffmpeg.ENDINGS)
    stat = path.stat()
    return Item(name, str(path), str(path), stamp=f"{stat.st_size}-{stat.st_mtime_ns}")
