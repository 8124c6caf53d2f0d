"""Tables of clips -> folders of samples to train on, for `data2vec multimodal encode`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Mapping, Sequence

from ..data.multimodal.sample_folders import TRAIN, Moments, SplitWriter
from ..features.settings import keep_settings
from ..files.locks import writing
from ..files.multimodal.clip_tables import Clip, ClipTable, read_clips
from ..files.multimodal.sequences import STATS
from ..files.unusable import UnusableFileError, some
from .streams import Stream, Wanted, items_of, open_streams

STREAMS = "streams"
ENCODERS = "encoders.json"
"""The file with the settings of a folder's features: its other splits, and data to predict on, must have the same."""


@dataclass
class Encoded:
    """A table's clips as samples: the written ones, the others, and how many lack each modality."""

    table: ClipTable
    kept: List[Clip] = field(default_factory=list)
    without: Dict[str, int] = field(default_factory=dict)
    dropped: List[str] = field(default_factory=list)
    bad: List[str] = field(default_factory=list)

    def summary(self) -> str:
        """One sentence for messages."""
        parts = [f"{len(self.kept):,} of {len(self.table.clips):,} clips"]
        parts += [f"{count:,} without {name}" for name, count in self.without.items() if count]
        if self.dropped:
            parts.append(f"{len(self.dropped):,} dropped without any stream: {some(self.dropped)}")
        if self.bad:
            parts.append(f"{len(self.bad):,} skipped with unreadable files: {some(self.bad)}")
        return ", ".join(parts)


def encode_tables(paths: Sequence[Path], out: Path, wanted: Wanted) -> bool:
    """Write every table as a split named after its file; False if more files are unreadable than ``wanted.bad_limit``.

    Raises ValueError for unusable tables, encoders and folders.
    """
    tables = [read_clips(path) for path in paths]
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        raise ValueError(f"two tables have the same name, of {', '.join(names)}; tables name their splits")
    check_encoders(tables, wanted)
    streams = open_streams(wanted, list(wanted.encoders), paths[0], out / STREAMS)
    with writing(out):
        keep_settings(out, settings_of(streams), ENCODERS)
        if not make_all(streams, tables):
            return False
        moments = Moments()
        for name, table in zip(names, tables):
            print(f"{out / name}.tsv: {write_split(table, streams, out, name, moments).summary()}")
        if TRAIN in names:
            moments.save(out / STATS)
    return True


def check_encoders(tables: Sequence[ClipTable], wanted: Wanted) -> None:
    """Raise ValueError without an encoder, or for one whose stream no table has; report streams without an encoder."""
    columns = {name for table in tables for name in table.modalities}
    if not wanted.encoders:
        raise ValueError(f"no encoder; give {' and '.join(f'`--{name} CHECKPOINT`' for name in sorted(columns))}")
    for name in sorted(set(wanted.encoders) - columns):
        raise ValueError(
            f"`--{name}` is given, but {tables[0].path} has no column `{name}`; add the column, or leave the option out"
        )
    for name in sorted(columns - set(wanted.encoders)):
        print(f"the column `{name}` is ignored, since no `--{name}` is given")


def settings_of(streams: Mapping[str, Stream]) -> Dict[str, object]:
    """The settings of all streams' features, by STREAM.KEY."""
    return {f"{name}.{key}": value for name, stream in streams.items() for key, value in stream.settings().items()}


def make_all(streams: Mapping[str, Stream], tables: Sequence[ClipTable]) -> bool:
    """Compute the features of all streams; whether few enough files were bad."""
    made = [
        stream.make(list(items_of(stream, tables))) for stream in streams.values()
    ]  # a list, so that all bad files are reported
    return all(made)


def write_split(table: ClipTable, streams: Mapping[str, Stream], out: Path, name: str, moments: Moments) -> Encoded:
    """Join the features of each clip; raises UnusableFileError if none is left."""
    kept = {modality: stream.kept() for modality, stream in streams.items()}
    encoded = Encoded(table, without=dict.fromkeys(streams, 0))
    written = SplitWriter(out, name, moments)
    for number, clip in enumerate(table.clips):
        items = {modality: stream.items(table, clip) for modality, stream in streams.items()}
        there = {modality: each for modality, each in items.items() if each}
        if any(item.name not in kept[modality] for modality, each in there.items() for item in each):
            encoded.bad.append(clip.name)
            continue
        features = {modality: streams[modality].frames(kept[modality], each) for modality, each in there.items()}
        before = len(written.rows)
        written.add(number, clip.name, features, clip.label)
        if len(written.rows) > before:
            encoded.kept.append(clip)
            for modality in streams:
                encoded.without[modality] += modality not in there
    encoded.dropped = written.dropped
    if not encoded.kept:
        raise UnusableFileError.of(table.path, f"no clip is left: {encoded.summary()}")
    written.finish()
    return encoded
