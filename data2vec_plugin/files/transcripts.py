"""Checks of fairseq's audio manifests (TSV) and label files, before anything is trained on them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

from ..files.text_lines import read_lines

SPOT_CHECKS = 1000
"""How many files of a manifest are looked for before training; the rest are found missing when read."""


def manifest_lines(path: Path) -> Iterator[Tuple[int, str, int]]:
    """Yield (line number from 1, relative path, samples) of a manifest.

    Raises ValueError, naming file and line, if it is not ``root`` followed by ``path<TAB>samples`` lines.
    """
    if not path.is_file():
        raise ValueError(
            f"manifest {path} does not exist; make it with `data2vec manifest DIR --out {path.parent}`, "
            f"or point `task.data` at the folder that holds it"
        )
    with path.open(encoding="utf-8") as lines:
        next(lines, None)
        for number, line in enumerate(lines, start=2):
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 2 or not fields[1].isdigit():
                raise ValueError(
                    f"{path}:{number}: got {line.rstrip()!r}, expected `relative/path<TAB>number of samples`; "
                    f"write the manifest again with `data2vec manifest`"
                )
            yield number, fields[0], int(fields[1])


def manifest_root(path: Path) -> Path:
    """The folder that a manifest's paths are relative to: its first line."""
    with path.open(encoding="utf-8") as lines:
        return Path(lines.readline().strip())


def manifest_digest(path: Path) -> str:
    """Twelve hexadecimal digits of a manifest's entries; its first line, the folder, may change."""
    with path.open("rb") as file:
        file.readline()
        return hashlib.sha256(file.read()).hexdigest()[:12]


def check_manifest(path: Path) -> List[Tuple[int, str, int]]:
    """All lines of a manifest, after looking for its files (or for evenly spaced ones of a long manifest).

    Raises ValueError that names the manifest and the line of the first missing file.
    """
    lines = list(manifest_lines(path))
    if not lines:
        raise ValueError(f"manifest {path} lists no file; write it with `data2vec manifest DIR --out {path.parent}`")
    root = manifest_root(path)
    for number, name, _ in lines[:: max(1, len(lines) // SPOT_CHECKS)]:
        file = container(os.path.join(root, name))
        if not os.path.exists(file):
            raise ValueError(
                f"{path}:{number}: {file} does not exist; if the audio has moved, correct the folder in line 1 "
                f"of the manifest, or write it again with `data2vec manifest`"
            )
    return lines


def container(path: str) -> str:
    """The file on disk behind a manifest entry: fairseq also knows ``archive.zip:offset:length``."""
    parts = path.rsplit(":", 2)
    return parts[0] if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit() else path


def read_labels(path: Path, manifest: Path, entries: int) -> List[str]:
    """The lines of a label file, one for each of the manifest's ``entries``.

    Raises ValueError, naming both files, if there are more or fewer, or if a label is empty.
    """
    if not path.is_file():
        raise ValueError(
            f"label file {path} does not exist; make it with `data2vec labels {manifest}`, "
            f"or set `task.labels` to the ending of the one you have"
        )
    labels = read_lines(path)
    if len(labels) != entries:
        raise ValueError(
            f"{path} has {len(labels)} lines, but {manifest} lists {entries} files: line N of the one belongs to "
            f"line N + 1 of the other; write both again with `data2vec manifest` and `data2vec labels`"
        )
    for number, label in enumerate(labels, start=1):
        if not label.strip():
            raise ValueError(f"{path}:{number}: empty label; give it a transcript or take it out of {manifest}")
    return labels


def check_symbols(labels: Sequence[str], known: set[str], path: Path, dictionary: str) -> None:
    """Raise ValueError for the first symbol that is not in the dictionary, naming file, line and symbol."""
    for number, label in enumerate(labels, start=1):
        for symbol in label.split():
            if symbol not in known:
                raise ValueError(
                    f"{path}:{number}: symbol {symbol!r} is not in {dictionary} ({len(known)} symbols); "
                    f"is it the model's dictionary, and are these labels letters (`data2vec labels`)?"
                )
