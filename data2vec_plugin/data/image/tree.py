"""Pictures in a tree of folders."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.folders import files_by_folder
from ...files.names import FileNames
from .source import ENDINGS, PROGRESS, ImageSourceError, source_digest

logger = logging.getLogger(__name__)


class ImageTree:
    """All pictures below ``root``, sorted folder by folder; hidden files and folders are passed over.

    With ``labelled`` every folder in ``root`` is a class, numbered in the order of the sorted names, and what lies
    in it at any depth is of that class. Raises :class:`ImageSourceError` where there is no picture, or no class, or
    a class without a picture.
    """

    def __init__(self, root: Path, labelled: bool) -> None:
        self.root = root
        self.classes: Optional[Sequence[str]] = class_folders(root) if labelled else None
        self.labels: Optional[NDArray[np.int64]] = None
        self._found = self._folders = 0
        if self.classes is None:
            self._names = FileNames(map(os.fsencode, self._below("")))
            self._check(len(self._names), root)
        else:
            counts: List[int] = []
            self._names = FileNames(map(os.fsencode, self._of_classes(self.classes, counts)))
            self.labels = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        self.digest = source_digest(self._names, self.labels)
        logger.info(f"{root}: {len(self):,} pictures in {self._folders:,} folders")

    def _of_classes(self, classes: Sequence[str], counts: List[int]) -> Iterator[str]:
        """Names class by class; how many each has is added to ``counts``."""
        for name in classes:
            before = self._found
            yield from self._below(name)
            counts.append(self._found - before)
            self._check(counts[-1], self.root / name)

    def _below(self, folder: str) -> Iterator[str]:
        """Names relative to the root, as they are found, with progress."""
        for pictures in files_by_folder(self.root, ENDINGS, enter_links=True, start=folder):
            self._folders += 1
            for name in pictures:
                self._found += 1
                if self._found % PROGRESS == 0:
                    logger.info(f"{self.root}: {self._found:,} pictures so far")
                yield name

    @staticmethod
    def _check(found: int, folder: Path) -> None:
        if found == 0:
            raise ImageSourceError(
                f"{folder} holds no picture ({', '.join(ENDINGS)}); put some there, take the folder away, "
                f"or correct `task.data`"
            )

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int) -> bytes:
        """The file as it is."""
        return self._path(index).read_bytes()

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self._path(index))

    def _path(self, index: int) -> Path:
        return self.root / os.fsdecode(self._names[index])

    def extent(self) -> Tuple[int, str]:
        """How many folders hold pictures."""
        return self._folders, "folders"


def class_folders(root: Path) -> List[str]:
    """The folders in ``root``, sorted; raises :class:`ImageSourceError` if there is none."""
    with os.scandir(root) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    if not names:
        raise ImageSourceError(
            f"{root} holds no class folder; expected one folder a class, named after it, as in {root}/cat/1.jpg"
        )
    return names
