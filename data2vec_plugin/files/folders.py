"""The only walk through users' folders: lists files, and counts and names what it skips."""

from __future__ import annotations

import logging
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .locks import LOCK
from .opening import kind
from .unusable import UnusableFileError

logger = logging.getLogger(__name__)

SYSTEM_NAMES = frozenset(
    ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information")
)
"""Folders created by Windows, macOS and storage systems, in lower case; most others begin with a dot."""
HIDDEN = "hidden or a system folder"
LEADS_BACK = "a link to a parent folder"
BROKEN = "a broken link"
ARCHIVE = "an archive, which is not opened"
PACKED = dict.fromkeys(
    (".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".zip", ".rar", ".7z", ".parquet", ".tfrecord"), ARCHIVE
)
"""For ``others`` of a walk: endings of archives."""
ENTERED_AT_MOST = 1000
"""How often links lead into one folder. More is a maze: n folders that link to each other have n! ways through."""
SHOWN = 3


class PassedOver:
    """The files and folders that a walk has skipped: their number by reason, and the first names."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.names: Dict[str, List[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Note a file or folder by its path relative to the root."""
        self.counts[reason] += 1
        names = self.names.setdefault(reason, [])
        if len(names) < SHOWN:
            names.append(name)

    def lines(self) -> List[str]:
        """A line for every reason, such as ``2: a pipe: a.wav, b.wav``."""
        return [f"{count:,}: {reason}: {self._named(reason)}" for reason, count in sorted(self.counts.items())]

    def _named(self, reason: str) -> str:
        names, count = self.names[reason], self.counts[reason]
        more = f" and {count - len(names):,} more" if count > len(names) else ""
        # a name that is not UTF-8 cannot be printed as it is
        return ", ".join(names).encode("utf-8", "backslashreplace").decode("utf-8") + more

    def __bool__(self) -> bool:
        return bool(self.counts)

    def __str__(self) -> str:
        return "; ".join(self.lines())


class _Folder(NamedTuple):
    """A folder to enter: its name relative to the root, and the resolved paths of its parents and itself."""

    name: str
    way: Tuple[str, ...]


class Walk:
    """Files below ``root`` that end in one of ``endings``, in either case.

    Hidden files and folders, system folders, broken links and anything but regular files are skipped. Linked folders
    are entered, once per link, but never in circles. ``others`` gives the reason with which files of other endings are
    counted, as ``{".heic": "a kind that is not read"}``; the folder ``without`` is not entered. Skipped files are in
    :attr:`passed`. Without ``follow_files``, links with a matching name are not resolved, which is slow on some file
    systems; errors appear when such a file is read.
    """

    def __init__(
        self,
        root: Path,
        endings: Sequence[str],
        others: Optional[Mapping[str, str]] = None,
        without: Optional[Path] = None,
        follow_files: bool = True,
    ) -> None:
        self.root = root
        self.endings = tuple(endings)
        self.others = others or {}
        self.without = None if without is None else os.path.realpath(without)
        self.follow_files = follow_files
        self.passed = PassedOver()
        self._entered: Counter[str] = Counter()
        self._led_back: Set[str] = set()

    def by_folder(self, start: str = "") -> Iterator[List[str]]:
        """Yield the files below ``start`` folder by folder, without folders that have none.

        Names are relative to the root and sorted, a folder's files before its folders.
        """
        real = os.path.realpath(self.root)
        way = (real, os.path.realpath(self.root / start)) if start else (real,)
        pending = [_Folder(start, way)]
        while pending:
            files, folders = self._entries(pending.pop())
            if files:
                yield files
            pending.extend(reversed(folders))

    def files(self, start: str = "") -> Iterator[str]:
        """Yield the files of :meth:`by_folder` one by one."""
        for names in self.by_folder(start):
            yield from names

    def here(self) -> Tuple[List[str], List[str]]:
        """Names of the files and of the folders in the root itself, each sorted."""
        files, folders = self._entries(_Folder("", (os.path.realpath(self.root),)))
        return files, [folder.name for folder in folders]

    def _entries(self, folder: _Folder) -> Tuple[List[str], List[_Folder]]:
        """Files and folders in a folder, each sorted."""
        files: List[str] = []
        folders: List[_Folder] = []
        try:
            with os.scandir(self.root / folder.name) as entries:
                for entry in entries:
                    name = os.path.join(folder.name, entry.name)
                    if entry.name == LOCK:
                        continue  # ours, while a command writes there
                    if entry.name.startswith(".") or entry.name.lower() in SYSTEM_NAMES:
                        self.passed.add(HIDDEN, name)
                    elif self._is_wanted(entry, name):
                        files.append(name)
                    elif _is_folder(entry):
                        real = self._entered_as(entry, name, folder.way)
                        folders += [] if real is None else [_Folder(name, (*folder.way, real))]
                    else:
                        self._add_other(entry, name)
        except OSError as error:
            if not folder.name:
                raise UnusableFileError.of(self.root, f"cannot be listed ({error.strerror})") from error
            self.passed.add(f"a folder that cannot be listed ({error.strerror})", folder.name)
        return sorted(files), sorted(folders)

    def _is_wanted(self, entry: os.DirEntry[str], name: str) -> bool:
        """Whether an entry is a file with one of the endings; anything else with such a name is counted as skipped."""
        if not entry.name.lower().endswith(self.endings):
            return False
        linked = entry.is_symlink()
        try:
            if entry.is_file(follow_symlinks=False) or (linked and not self.follow_files):
                return True
            mode = entry.stat().st_mode
        except OSError as error:
            self.passed.add(BROKEN if linked else f"cannot be read ({error.strerror})", name)
            return False
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            self.passed.add(kind(mode), name)
        return stat.S_ISREG(mode)

    def _add_other(self, entry: os.DirEntry[str], name: str) -> None:
        """Count a file of another known kind, and a broken link, which may have been a folder."""
        if entry.name.lower().endswith(self.endings):
            return  # counted by _is_wanted
        reason = self.others.get(os.path.splitext(entry.name)[1].lower())
        if reason is None and entry.is_symlink() and not os.path.exists(entry.path):
            reason = BROKEN
        if reason is not None:
            self.passed.add(reason, name)

    def _entered_as(self, entry: os.DirEntry[str], name: str, way: Tuple[str, ...]) -> Optional[str]:
        """The resolved path of a folder, None if it is skipped."""
        if not entry.is_symlink():
            real = os.path.join(way[-1], entry.name)
            return None if real == self.without else real
        real = os.path.realpath(entry.path)
        inside = os.path.join(real, "")
        if any(above == real or above.startswith(inside) for above in way):
            place = os.path.join(way[-1], entry.name)
            if place not in self._led_back:  # in a maze, every path leads to it again
                logger.warning(f"{entry.path} links back to {real}; skipped")
                self.passed.add(LEADS_BACK, name)
            self._led_back.add(place)
            return None
        self._entered[real] += 1
        if self._entered[real] > ENTERED_AT_MOST:
            self.passed.add(f"a link into a folder that was entered by {ENTERED_AT_MOST:,} others", name)
            return None
        return None if real == self.without else real


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one; a link that leads in circles is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False
