"""Finds and opens the folder or the archives of a split."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import List, Optional

from ...files.folders import Walk
from ..first_process import first_process_first
from .shards import ImageShards
from .source import NAMED, ImageSource, ImageSourceError
from .tree import ImageTree

logger = logging.getLogger(__name__)

TAR = ".tar"
INDEX = "index"
"""Folder next to the archives, for their index."""


def open_split(data: Path, split: str, labelled: bool, index_dir: Optional[str] = None) -> ImageSource:
    """Open the pictures of a split: a folder DATA/SPLIT, or archives DATA/SPLIT-000000.tar and so on.

    Without labels, a folder that lacks the split is itself the split, as in upstream. Of several processes, the first
    indexes the archives. Raises :class:`ImageSourceError` if the split is missing or empty, or exists twice.
    """
    if not data.is_dir():
        raise ImageSourceError(f"`task.data` is {data}; expected a folder that exists")
    folder, shards = data / split, split_shards(data, split)
    if folder.is_dir() and shards:
        raise ImageSourceError(f"split {split} exists twice, as {folder} and as {shards[0].name}; remove one of them")
    if shards:
        with first_process_first():
            return ImageShards(shards, labelled, Path(index_dir) if index_dir else data / INDEX)
    if folder.is_dir():
        return ImageTree(folder, labelled)
    if labelled:
        raise ImageSourceError(
            f"{data} has neither a folder {split} nor archives {split}-000000.tar; it has {_splits(data)}. Archives "
            f"must be named {NAMED}. Correct `task.data`, `dataset.train_subset` or `dataset.valid_subset`"
        )
    logger.warning(f"there is no {folder}: split {split} consists of all images below {data}")
    return ImageTree(data, labelled=False)


def split_shards(data: Path, split: str) -> List[Path]:
    """The archives of a split, by number."""
    pattern = re.compile(rf"{re.escape(split)}-\d+\.(?i:tar)")
    names, _ = Walk(data, (TAR,)).here()
    return [data / name for name in sorted(filter(pattern.fullmatch, names), key=lambda name: (len(name), name))]


def _splits(data: Path) -> str:
    archives, folders = Walk(data, (TAR,)).here()
    splits = {re.sub(r"-\d+$", "", Path(name).stem) for name in archives}
    return ", ".join(sorted((set(folders) | splits) - {INDEX})) or "neither folders nor archives"
