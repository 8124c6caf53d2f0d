"""Which folder or archives hold a split."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import List, Optional

from ..first_process import first_process_first
from .shards import ImageShards
from .source import ImageSource, ImageSourceError
from .tree import ImageTree

logger = logging.getLogger(__name__)

INDEX = "index"
"""Folder beside archives in which their index is kept."""


def open_split(data: Path, split: str, labelled: bool, index_dir: Optional[str] = None) -> ImageSource:
    """The pictures of a split: a folder DATA/SPLIT, or archives DATA/SPLIT-000000.tar and so on.

    Without labels a folder of no splits is itself the split, as upstream has it. Of several processes the first
    indexes archives. Raises :class:`ImageSourceError` if there is nothing to read, or too much.
    """
    if not data.is_dir():
        raise ImageSourceError(f"`task.data` is {data}; expected a folder that exists")
    folder, shards = data / split, split_shards(data, split)
    if folder.is_dir() and shards:
        raise ImageSourceError(
            f"split {split} is there twice, as {folder} and as {shards[0].name}; take one of them away"
        )
    if shards:
        with first_process_first():
            return ImageShards(shards, labelled, Path(index_dir) if index_dir else data / INDEX)
    if folder.is_dir():
        return ImageTree(folder, labelled)
    if labelled:
        raise ImageSourceError(
            f"{data} has neither a folder {split} nor archives {split}-000000.tar; it has {_splits(data)}. "
            f"Correct `task.data`, `dataset.train_subset` or `dataset.valid_subset`"
        )
    logger.warning(f"there is no {folder}: split {split} is every picture below {data}")
    return ImageTree(data, labelled=False)


def split_shards(data: Path, split: str) -> List[Path]:
    """The archives of a split, by number."""
    pattern = re.compile(rf"{re.escape(split)}-\d+\.tar")
    paths = (path for path in data.iterdir() if pattern.fullmatch(path.name))
    return sorted(paths, key=lambda path: (len(path.name), path.name))


def _splits(data: Path) -> str:
    folders = {path.name for path in data.iterdir() if path.is_dir() and not path.name.startswith(".")}
    archives = {re.sub(r"-\d+$", "", path.stem) for path in data.glob("*.tar")}
    return ", ".join(sorted((folders | archives) - {INDEX})) or "neither folders nor archives"
