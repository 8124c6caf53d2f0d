"""Storage of features: one .npy per item, shards of .safetensors, or one matrix of pooled features."""

from __future__ import annotations

import re
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np

from ..files.writing import replacing
from .encode import Features
from .index import Index, Row
from .items import Item

MATRIX = "features.npy"
PART_BYTES = 256 * 2**20
PART_SECONDS = 300.0
"""A part is written at this many bytes, or this long after the previous one: the most that a crash may lose."""
PART = re.compile(r"part-(\d+)\.")


class Store:
    """A separate file for every item: FOLDER/NAME.npy."""

    def __init__(self, folder: Path, order: Sequence[Item]) -> None:
        self.folder = folder
        self.index = Index(folder)
        self.places = {item.name: place for place, item in enumerate(order)}

    def put(self, item: Item, features: Features, frames: int) -> None:
        """Store an item's features."""
        name = f"{item.name}.npy"
        with replacing(self.folder / name) as part, part.open("wb") as file:
            np.save(file, features)
        self.index.add([Row(item.name, name, "", frames, features.shape[-1], item.stamp)])

    def flush(self) -> None:
        """Write what is still in memory."""

    def finish(self) -> None:
        """Sort the index into the list's order; items that are not on the list come last."""
        self.index.sort(lambda row: (self.places.get(row.id, len(self.places)), row.id))

    def close(self) -> None:
        """Write what is still in memory, and close the index; also after an error."""
        try:
            self.flush()
        finally:
            self.index.close()


class Shards(Store):
    """Parts of many items each, part-00000.safetensors and so on, with one tensor per item under its name."""

    ending = "safetensors"

    def __init__(self, folder: Path, order: Sequence[Item]) -> None:
        super().__init__(folder, order)
        self.waiting: Dict[str, Tuple[Item, Features, int]] = {}
        self.bytes = 0
        self.written = time.monotonic()
        used = (PART.match(row.file) for row in self.index.rows.values())
        self.number = max((int(match[1]) + 1 for match in used if match), default=0)

    def put(self, item: Item, features: Features, frames: int) -> None:
        """Collect an item's features until there are enough for a part."""
        self.waiting[item.name] = item, features, frames
        self.bytes += features.nbytes
        if self.bytes >= PART_BYTES or time.monotonic() - self.written >= PART_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write the features in memory as a part, then its rows of the index."""
        if self.waiting:
            entries = [self.waiting[name] for name in sorted(self.waiting, key=lambda name: self.places[name])]
            name = f"part-{self.number:05d}.{self.ending}"
            with replacing(self.folder / name) as part:
                keys = self.write(part, entries)
            self.index.add(
                Row(item.name, name, key, frames, features.shape[-1], item.stamp)
                for key, (item, features, frames) in zip(keys, entries)
            )
            self.number += 1
            self.waiting, self.bytes = {}, 0
        self.written = time.monotonic()

    def write(self, path: Path, entries: List[Tuple[Item, Features, int]]) -> List[str]:
        """Write a part; returns the keys by which its items are found."""
        from safetensors.numpy import save_file

        save_file({item.name: np.ascontiguousarray(features) for item, features, _ in entries}, str(path))
        return [item.name for item, _, _ in entries]

    def finish(self) -> None:
        """Write the last part and order the index."""
        self.flush()
        super().finish()


class Matrix(Shards):
    """Pooled features in one matrix, features.npy, with the row in the index's ``key``; parts until it is complete."""

    ending = "npy"

    def write(self, path: Path, entries: List[Tuple[Item, Features, int]]) -> List[str]:
        """Write a part, one row per item."""
        with path.open("wb") as file:
            np.save(file, np.stack([features for _, features, _ in entries]))
        return [str(row) for row in range(len(entries))]

    def finish(self) -> None:
        """Append the parts to the matrix.

        Existing rows do not move, new ones follow in the list's order: until the new index is written, the old one is
        correct for the new matrix, too.
        """
        self.flush()
        new = [row for row in self.index.rows.values() if row.file != MATRIX]
        if new:
            new.sort(key=lambda row: (self.places.get(row.id, len(self.places)), row.id))
            self._join(new)
        self.index.sort(lambda row: int(row.key))  # type: ignore[attr-defined]
        for part in self.folder.glob("part-*.npy"):  # also those that an earlier run joined but did not delete
            part.unlink()

    def _join(self, new: List[Row]) -> None:
        path = self.folder / MATRIX
        parts = {row.file: np.load(self.folder / row.file, mmap_mode="r") for row in new}
        some = next(iter(parts.values()))
        kept = max((int(row.key) + 1 for row in self.index.rows.values() if row.file == MATRIX), default=0)
        old = np.load(path, mmap_mode="r")[:kept] if kept else some[:0]
        shape = (len(old) + len(new), *some.shape[1:])
        with replacing(path) as unfinished:
            matrix = np.lib.format.open_memmap(unfinished, mode="w+", dtype=some.dtype, shape=shape)
            matrix[: len(old)] = old
            for place, row in enumerate(new, start=len(old)):
                matrix[place] = parts[row.file][int(row.key)]
            matrix.flush()
            del matrix, old
        for place, row in enumerate(new, start=kept):
            self.index.rows[row.id] = Row(row.id, MATRIX, str(place), row.frames, row.channels, row.stamp)


def open_store(folder: Path, order: Sequence[Item], kind: str, pooled: bool) -> Store:
    """The store for `--format` ``kind``; raises ValueError if its package is missing."""
    if kind == "npy":
        return Matrix(folder, order) if pooled else Store(folder, order)
    if find_spec("safetensors") is None:
        raise ValueError("`--format safetensors` requires the package: pip install safetensors")
    return Shards(folder, order)


class KeptFeatures:
    """The features of a folder by item's name, read on access; a matrix is memory-mapped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = Index(folder).rows
        self._matrices: Dict[str, Features] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.rows

    def __getitem__(self, name: str) -> Features:
        """An item's features, (frames, channels) or pooled (channels,); raises KeyError if there are none."""
        row = self.rows[name]
        if not row.key:
            features: Features = np.load(self.folder / row.file)
            return features
        if row.file not in self._matrices:
            self._matrices[row.file] = np.load(self.folder / row.file, mmap_mode="r")
        return np.asarray(self._matrices[row.file][int(row.key)])
