"""fairseq's TSV manifests: the folder, then one clip per line, ``relative/path<TAB>number of samples``.

A byte order mark, Windows' line ends, blanks around a count and empty lines at the end are ignored; an empty line
elsewhere is an error, since the n-th label belongs to the n-th clip. A path may be absolute, and may be
``archive.zip:offset:length``, the bytes of a file in an archive that is not compressed.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, NamedTuple, Tuple

from ..media.audio import split_entry
from ..opening import opened
from ..unusable import UnusableFileError, shown
from .text_lines import numbered_lines, without_empty_end

SPOT_CHECKS = 1000
"""How many files of a manifest are looked for before training; the rest are found missing when read."""
COUNT = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Clip:
    """One line of a manifest: the audio's path, relative to the root, and its length."""

    path: str
    frames: int  # samples of one channel


@dataclass(frozen=True)
class Manifest:
    """A fairseq manifest: the root's path, then one clip a line."""

    root: Path
    clips: Tuple[Clip, ...]

    def text(self) -> str:
        """Return the manifest as fairseq reads it."""
        lines = [str(self.root), *(f"{clip.path}\t{clip.frames}" for clip in self.clips)]
        return "\n".join(lines) + "\n"


class Entry(NamedTuple):
    """A clip with its line, counted from 1 with the root's, its path and its number of samples."""

    line: int
    path: str
    frames: int


def line_of(index: int) -> int:
    """Return a clip's line number in its manifest, counted from 1 with the root's line."""
    return index + 2


def read_manifest(path: Path) -> Manifest:
    """Read a whole manifest; raises ValueError as :func:`manifest_entries` does, and if there is no clip in it."""
    clips = tuple(Clip(entry.path, entry.frames) for entry in manifest_entries(path))
    if not clips:
        raise UnusableFileError.of(path, "lists no audio; create it with `data2vec manifest DIR`")
    return Manifest(manifest_root(path), clips)


def manifest_entries(path: Path) -> Iterator[Entry]:
    """Yield the clips one at a time, since manifests may list hundreds of thousands.

    Raises :class:`UnusableFileError`, with the line, for a line that is not a path, a tab and a number of samples.
    """
    lines = without_empty_end(_lines(path))
    _check_root(path, next(lines, (1, ""))[1])
    for number, line in lines:
        name, _, frames = line.partition("\t")
        if not (name and COUNT.fullmatch(frames.strip())):
            raise UnusableFileError.of(
                path,
                f"got {shown(line)}; expected `relative/path<TAB>number of samples`; create the manifest again with "
                "`data2vec manifest`",
                number,
            )
        yield Entry(number, name, int(frames))


def manifest_root(path: Path) -> Path:
    """The folder that a manifest's paths are relative to: its first line."""
    return Path(_check_root(path, next(_lines(path), (1, ""))[1]))


def manifest_digest(path: Path) -> str:
    """Twelve hexadecimal digits of a manifest's entries; its first line, the folder, may change."""
    with opened(path) as file:
        file.readline()
        return hashlib.sha256(file.read()).hexdigest()[:12]


def check_manifest(path: Path) -> List[Entry]:
    """Read all clips of a manifest, and look for their files (for evenly spaced ones of a long manifest).

    Raises :class:`UnusableFileError` that names the manifest and the line of the first missing file.
    """
    entries = list(manifest_entries(path))
    if not entries:
        raise UnusableFileError.of(path, f"lists no audio; create it with `data2vec manifest DIR --out {path.parent}`")
    root = manifest_root(path)
    for entry in entries[:: max(1, len(entries) // SPOT_CHECKS)]:
        file, _ = split_entry(os.path.join(root, entry.path))
        if not os.path.exists(file):
            raise UnusableFileError.of(
                path,
                f"{file} does not exist; if the audio has moved, correct the folder in line 1 of the manifest, or "
                "create it again with `data2vec manifest`",
                entry.line,
            )
    return entries


def _lines(path: Path) -> Iterator[Tuple[int, str]]:
    if not path.is_file():
        raise UnusableFileError.of(
            path, f"no such manifest; create it with `data2vec manifest DIR --out {path.parent}`, or use another folder"
        )
    return numbered_lines(path)


def _check_root(path: Path, line: str) -> str:
    """Return the folder in the first line; raises UnusableFileError if the line is a clip's, which would be lost."""
    if "\t" in line:
        raise UnusableFileError.of(
            path, f"got {shown(line)}; expected the folder to which the paths below are relative", 1
        )
    return line.strip()
