"""Pictures in tar archives of WebDataset's layout, read in any order."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Iterable, List, Optional, Sequence, Set, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.media.kept_index import kept_index
from ...files.media.tar_index import CLASS, TarIndex, sample_key
from ...files.names import FileNames
from ...files.opening import read_part
from .source import PROGRESS, ImageSourceError, source_digest

LARGEST = int(np.iinfo(np.int64).max)

logger = logging.getLogger(__name__)


class ImageShards:
    """The pictures of several archives, one archive after another.

    With ``labelled`` every sample has a class: a number, which is the label, or a name; names are numbered in their
    sorted order. The positions of the pictures are cached in ``index_folder``. Raises :class:`ImageSourceError` for an
    archive without pictures, and for a picture without a class, or with one that cannot be a label.
    """

    def __init__(self, paths: Sequence[Path], labelled: bool, index_folder: Path) -> None:
        self.root = paths[0].parent
        self.paths = list(paths)
        indices = self._indices(index_folder)
        self._names = FileNames(name for index in indices for name in _each(index.names))
        self._offsets = np.concatenate([index.offsets for index in indices])
        self._sizes = np.concatenate([index.sizes for index in indices])
        self._first = np.cumsum([0, *(len(index.sizes) for index in indices)])
        self.classes: Optional[Sequence[str]] = None
        self.labels: Optional[NDArray[np.int64]] = None
        if labelled:
            self._check_labelled(indices)
            self.labels, self.classes = numbered(bytes(c) for index in indices for c in _each(index.classes))
        self.digest = source_digest(self._names, self.labels)
        logger.info(f"{self.root}: {len(self):,} pictures in {len(paths):,} archives")

    def _indices(self, folder: Path) -> List[TarIndex]:
        """The index of every archive, with progress."""
        indices: List[TarIndex] = []
        found = 0
        for path in self.paths:
            indices.append(kept_index(path, folder))
            count = len(indices[-1].sizes)
            if count == 0:
                raise ImageSourceError(f"{path} holds no image; remove it, or write it again (KEY.jpg, KEY.cls)")
            if (found + count) // PROGRESS > found // PROGRESS:
                logger.info(f"{self.root}: {found + count:,} pictures so far")
            found += count
        return indices

    def _check_labelled(self, indices: Sequence[TarIndex]) -> None:
        for path, index in zip(self.paths, indices):
            lengths = np.diff(index.classes.ends, prepend=0)
            if not lengths.all():
                name = os.fsdecode(index.names[int(np.argmin(lengths))])
                raise ImageSourceError(
                    f"{path}: {name} has no class; expected {sample_key(name)[0]}{CLASS} next to it, with a number or "
                    "a name"
                )
            known: Set[bytes] = set()
            for place, label in enumerate(_each(index.classes)):
                if label not in known:
                    known.add(label)
                    self._check_class(path, os.fsdecode(index.names[place]), label)

    @staticmethod
    def _check_class(path: Path, name: str, label: bytes) -> None:
        """Raise :class:`ImageSourceError` for a class that is neither a number of 64 bits nor text."""
        fault = ""
        if label.isdigit() and (len(label) > len(str(LARGEST)) or int(label) > LARGEST):
            fault = f"{label[:20].decode()}…; the largest number of a class is {LARGEST}"
        try:
            label.decode("utf-8")
        except UnicodeDecodeError:
            fault = f"{label[:20]!r}, which is not UTF-8"
        if fault:
            raise ImageSourceError(f"{path}: {sample_key(name)[0]}{CLASS} holds {fault}")

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int) -> bytes:
        """The member's bytes; raises :class:`UnusableFileError` if the archive ends before them."""
        return read_part(self._path(index), int(self._offsets[index]), int(self._sizes[index]))

    def name(self, index: int) -> str:
        """``archive/member``."""
        return f"{self._path(index)}/{os.fsdecode(self._names[index])}"

    def _path(self, index: int) -> Path:
        return self.paths[int(np.searchsorted(self._first, index, side="right")) - 1]

    def extent(self) -> Tuple[int, str]:
        """Return the number of archives."""
        return len(self.paths), "archives"


def _each(names: FileNames) -> Iterable[bytes]:
    return (names[index] for index in range(len(names)))


def numbered(classes: Iterable[bytes]) -> Tuple[NDArray[np.int64], Optional[List[str]]]:
    """Labels (N,), and the names that they number; None if the classes are numbers already.

    >>> numbered([b"dog", b"cat", b"dog"])
    (array([1, 0, 1]), ['cat', 'dog'])
    """
    known: dict[bytes, int] = {}
    numbers = np.fromiter((known.setdefault(name, len(known)) for name in classes), dtype=np.int64)
    if all(name.isdigit() for name in known):
        return np.array([int(name) for name in known], dtype=np.int64)[numbers], None
    ordered = sorted(known)
    ranks = {name: rank for rank, name in enumerate(ordered)}
    return np.array([ranks[name] for name in known], dtype=np.int64)[numbers], [name.decode() for name in ordered]
