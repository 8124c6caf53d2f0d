"""Files of a kind in a tree of folders."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Iterator, List, Tuple

logger = logging.getLogger(__name__)


def files_by_folder(root: Path, endings: Tuple[str, ...], enter_links: bool, start: str = "") -> Iterator[List[str]]:
    """Files that end in one of ``endings``, in either case: those of one folder after another, none without any.

    Names are relative to ``root`` and sorted, a folder's files before its folders; only what lies below ``start`` is
    listed. Hidden files and folders are passed over. Linked folders are entered, but not in circles, or passed over.
    """
    pending = [start]
    while pending:
        files, folders = _entries(root, pending.pop(), endings, enter_links)
        if files:
            yield files
        pending.extend(reversed(folders))


def _entries(root: Path, folder: str, endings: Tuple[str, ...], enter_links: bool) -> Tuple[List[str], List[str]]:
    """Files and folders in a folder, relative to the root, each sorted."""
    files, folders = [], []
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            name, linked = os.path.join(folder, entry.name), entry.is_symlink()
            # where a link leads is asked only if its name does not tell, since that takes a slow file system long
            if entry.name.lower().endswith(endings) and (linked or not entry.is_dir()):
                files.append(name)
            elif entry.is_dir() and (not linked or (enter_links and not _leads_back(entry))):
                folders.append(name)
    return sorted(files), sorted(folders)


def _leads_back(entry: os.DirEntry[str]) -> bool:
    """Whether a link leads to a folder that it lies in."""
    here, target = os.path.realpath(os.path.dirname(entry.path)), os.path.realpath(entry.path)
    if os.path.commonpath([here, target]) != target:
        return False
    logger.warning(f"{entry.path} leads back to {target}; passed over")
    return True
