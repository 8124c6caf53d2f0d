"""The folder of transcripts: its contents, the settings they were made with, and protection of other files in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Mapping, Sequence

from ...features.items import Item
from ...features.settings import keep_settings
from ...files.text.appended_table import AppendedTable
from ...files.unusable import some
from ...files.writing import write_atomically
from .transcript import Transcript
from .transcript_files import FORMATS, names_of_outputs

INDEX, SETTINGS = "transcripts.tsv", "transcribe.json"


@dataclass(frozen=True)
class Row:
    """A recording whose transcript exists, or is about to be written; ``stamp`` shows whether it has changed."""

    id: str
    file: str
    milliseconds: int
    words: int
    stamp: str


class ResultsFolder:
    """Transcripts by recording; a process that writes here holds the folder's lock.

    A row of the table is written before the files, so that a file without a row was not written here, and is never
    replaced without ``overwrite``. Raises ValueError for a folder whose transcripts were made with other settings, and
    for other files of the same names.
    """

    def __init__(self, folder: Path, formats: Sequence[str], settings: Mapping[str, object], overwrite: bool) -> None:
        self.folder, self.formats = folder, formats
        self.made = settings
        if overwrite:
            for name in (SETTINGS, INDEX):
                (folder / name).unlink(missing_ok=True)
        self.overwrite = overwrite
        self.table = AppendedTable(folder / INDEX, Row)

    def keep_settings(self, settings: Mapping[str, object]) -> None:
        """Store the settings; raises ValueError if existing transcripts were made with other settings."""
        remedy = "give `--overwrite` to transcribe everything again"
        keep_settings(self.folder, dict(settings), SETTINGS, "transcripts", remedy)

    def pending(self, recordings: Sequence[Item]) -> List[Item]:
        """The recordings that have no transcript yet; raises ValueError for other files of the same names."""
        left = [item for item in recordings if not self._has(item)]
        in_the_way = [
            str(path)
            for item in left
            if item.name not in self.table.rows and not self.overwrite
            for path in self._paths(item)
            if path.exists()
        ]
        if in_the_way:
            raise ValueError(f"{some(in_the_way)}: not written by this command; give another `--out`, or `--overwrite`")
        return left

    def put(self, item: Item, transcript: Transcript) -> None:
        """Write a recording's transcript in all formats; raises OSError if it cannot be written, as on a full disk."""
        paths = self._paths(item)
        for path in paths:
            path.unlink(missing_ok=True)
        self.table.add(
            [Row(item.name, item.source, round(1000 * transcript.seconds), len(transcript.words), item.stamp)]
        )
        for path, kind in zip(paths, self.formats):
            write_atomically(path, FORMATS[kind](item.source, transcript, self.made))

    def close(self) -> None:
        """Close the table."""
        self.table.close()

    def _has(self, item: Item) -> bool:
        row = self.table.rows.get(item.name)
        return row is not None and row.stamp == item.stamp and all(path.is_file() for path in self._paths(item))

    def _paths(self, item: Item) -> List[Path]:
        return [self.folder / name for name in names_of_outputs(item.name, self.formats)]
