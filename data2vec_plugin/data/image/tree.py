"""Pictures in a tree of folders."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.folders import ARCHIVE, PACKED, Walk
from ...files.media.pictures import ENDINGS, UNREAD, read_picture
from ...files.names import FileNames
from .source import NAMED, PROGRESS, ImageSourceError, source_digest

logger = logging.getLogger(__name__)


class ImageTree:
    """All images below ``root``, sorted folder by folder; hidden files and folders are skipped.

    With ``labelled`` every folder in ``root`` is a class, numbered in sorted order of the names, and all images below
    it have that class. Raises :class:`ImageSourceError` if there is no picture, no class folder, or a class without
    pictures.
    """

    def __init__(self, root: Path, labelled: bool) -> None:
        self.root = root
        # links with a picture's name are not resolved, which would cost a system call for each of a million
        self._walk = Walk(root, ENDINGS, {**UNREAD, **PACKED}, follow_files=False)
        self.classes: Optional[Sequence[str]] = self._class_folders() if labelled else None
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
        for line in self._walk.passed.lines():
            logger.warning(f"{root}: skipped {line}")

    def _class_folders(self) -> List[str]:
        """The folders in the root, sorted; raises :class:`ImageSourceError` if there is none."""
        _, names = self._walk.here()
        if not names:
            raise ImageSourceError(
                f"{self.root} holds no class folder; expected one folder per class, such as "
                f"{self.root}/cat/1.jpg{self._passed_over()}"
            )
        return names

    def _of_classes(self, classes: Sequence[str], counts: List[int]) -> Iterator[str]:
        """Yield names class by class, and append the number of each class's pictures to ``counts``."""
        for name in classes:
            before = self._found
            yield from self._below(name)
            counts.append(self._found - before)
            self._check(counts[-1], self.root / name)

    def _below(self, folder: str) -> Iterator[str]:
        """Yield names relative to the root as they are found, and log progress."""
        for pictures in self._walk.by_folder(folder):
            self._folders += 1
            for name in pictures:
                self._found += 1
                if self._found % PROGRESS == 0:
                    logger.info(f"{self.root}: {self._found:,} pictures so far")
                yield name

    def _check(self, found: int, folder: Path) -> None:
        if found == 0:
            raise ImageSourceError(
                f"{folder} holds no image ({', '.join(ENDINGS)}); add some, remove the folder, or correct "
                f"`task.data`{self._passed_over()}"
            )

    def _passed_over(self) -> str:
        """Describe the skipped files, among which the missing ones may be, for the end of a message."""
        passed = self._walk.passed
        if not passed:
            return ""
        named = (
            (f". Archives are only read from `task.data`, and must be named {NAMED}") if passed.counts[ARCHIVE] else ""
        )
        return f". Skipped: {passed}{named}"

    def __len__(self) -> int:
        return len(self._names)

    def read(self, index: int) -> bytes:
        """Read the file's bytes; raises :class:`UnusableFileError` if it cannot be read."""
        return read_picture(self._path(index))

    def name(self, index: int) -> str:
        """The file's path."""
        return str(self._path(index))

    def _path(self, index: int) -> Path:
        return self.root / os.fsdecode(self._names[index])

    def extent(self) -> Tuple[int, str]:
        """Return the number of folders that hold pictures."""
        return self._folders, "folders"
