"""Transcripts of clips: label files, LibriSpeech's ``*.trans.txt``, a ``.txt`` with a clip's name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from ..unusable import UnusableFileError
from .text_lines import numbered_lines, read_lines, read_text

BLANKS = re.compile(r"[ \t]+")


def read_labels(path: Path, manifest: Path, entries: int) -> List[str]:
    """Read the lines of a label file, one for each of the manifest's ``entries``.

    Raises :class:`UnusableFileError`, naming both files, if there are more or fewer, or if a label is empty.
    """
    if not path.is_file():
        raise UnusableFileError.of(
            path,
            f"this label file does not exist; create it with `data2vec labels {manifest}`, or set `task.labels` to "
            "the ending of an existing one",
        )
    labels = read_lines(path)
    if len(labels) != entries:
        raise UnusableFileError.of(
            path,
            f"has {len(labels)} lines, but {manifest} lists {entries} files: line N of the labels belongs to line N + "
            "1 of the manifest; create both again with `data2vec manifest` and `data2vec labels`",
        )
    for number, label in enumerate(labels, start=1):
        if not label.strip():
            raise UnusableFileError.of(
                path, f"empty label; add a transcript, or remove the clip from {manifest}", number
            )
    return labels


def check_symbols(labels: Sequence[str], known: set[str], path: Path, dictionary: str) -> None:
    """Raise UnusableFileError for the first symbol that is not in the dictionary, naming file, line and symbol."""
    for number, label in enumerate(labels, start=1):
        for symbol in label.split():
            if symbol not in known:
                raise UnusableFileError.of(
                    path,
                    f"symbol {symbol!r} is not in {dictionary} ({len(known)} symbols); is it the model's dictionary, "
                    f"and are these labels letters (`data2vec labels`)?",
                    number,
                )


def read_utterances(folder: Path) -> Dict[str, str]:
    """Read the ``*.trans.txt`` of a LibriSpeech folder: per line, an utterance's id, a blank and its words.

    Raises :class:`UnusableFileError` for an id that comes twice.
    """
    texts: Dict[str, str] = {}
    for file in sorted(folder.glob("*.trans.txt")):
        for number, line in numbered_lines(file):
            name, *words = BLANKS.split(line.strip(), maxsplit=1)
            if name in texts:
                raise UnusableFileError.of(file, f"{name} already has a transcript", number)
            if name:
                texts[name] = words[0] if words else ""
    return texts


def read_beside(clip: Path) -> Optional[str]:
    """Read the ``.txt`` file next to a clip with the same name; return None if there is none."""
    path = clip.with_suffix(".txt")
    return read_text(path) if path.is_file() else None
