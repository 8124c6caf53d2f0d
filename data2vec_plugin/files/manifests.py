"""What `manifest` and `labels` share: fairseq's TSV manifests, CSV tables, safe writes."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from data2vec_plugin.files.text_lines import read_lines


@dataclass(frozen=True)
class Clip:
    """One line of a manifest: the audio's path, relative to the root, and its length."""

    path: str
    frames: int  # samples of one channel


@dataclass(frozen=True)
class Manifest:
    """A fairseq manifest: the root's path, then one clip a line."""

    root: Path
    clips: tuple[Clip, ...]

    def text(self) -> str:
        """Return the manifest as fairseq reads it."""
        lines = [str(self.root), *(f"{clip.path}\t{clip.frames}" for clip in self.clips)]
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Row:
    """One line of a CSV table."""

    line: int
    fields: dict[str, str]


def line_of(index: int) -> int:
    """Return a clip's line number in its manifest, counted from 1 with the root's line."""
    return index + 2


def read_manifest(path: Path) -> Manifest:
    """Read a TSV manifest.

    Raises:
        ValueError: the file is missing, has no clip, or a line is not `path<TAB>frames`.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such manifest; `data2vec manifest DIR` writes one")
    root, *lines = read_lines(path) or [""]
    clips = []
    for index, line in enumerate(lines):
        name, tab, frames = line.partition("\t")
        if not (name and tab and frames.strip().isdigit()):
            raise ValueError(
                f"{path}, line {line_of(index)}: got {line!r}; "
                "expected a relative path, a tab and the number of samples"
            )
        clips.append(Clip(name, int(frames)))
    if not clips:
        raise ValueError(f"{path}: lists no audio; expected the root's path, then a line per file")
    return Manifest(Path(root.strip()), tuple(clips))


def read_csv(path: Path, required: Iterable[str]) -> list[Row]:
    """Read a CSV (or tab-separated) file whose first line names its columns.

    Raises:
        ValueError: the file is missing or empty, or lacks a column; or a line lacks its value.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such CSV file")
    with open(path, encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        reader = csv.DictReader(file, delimiter="\t" if "\t" in first else ",")
        columns = [name.strip() for name in reader.fieldnames or []]
        reader.fieldnames = columns
        for name in required:
            if name not in columns:
                raise ValueError(
                    f"{path}, line 1: no column `{name}`; got {', '.join(columns) or 'nothing'}; "
                    "expected a header such as `path,text,split`"
                )
        rows = []
        for fields in reader:
            for name in required:
                if not (fields[name] or "").strip():
                    raise ValueError(f"{path}, line {reader.line_num}: the `{name}` is empty")
            values = {key: (fields[key] or "").strip() for key in columns}
            rows.append(Row(reader.line_num, values))
    if not rows:
        raise ValueError(f"{path}: has a header, but no lines below it")
    return rows


def write_atomically(path: Path, content: Union[str, bytes]) -> None:
    """Write a file so that a reader, or a run cut short, never sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def some(names: Iterable[str], limit: int = 3) -> str:
    """Join the first few names, bytes that are not UTF-8 as `\\udce9`; say how many more there are."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(every[:limit]).encode("utf-8", "backslashreplace").decode("utf-8") + more
