"""A crash must not cost more than the updates since the last checkpoint.

fairseq writes one checkpoint file by rename and copies it over the others in place: killed while it copies, or
out of disk space, it leaves half a `checkpoint_last.pt`, from which the next start cannot go on. Often that file is
the only one there is.
"""

import contextlib
import functools
import logging
import os
import shutil
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Tuple

from data2vec_compat.file_kinds import other_kind
from data2vec_compat.registry import patch

logger = logging.getLogger(__name__)

LAST = "checkpoint_last.pt"
PREVIOUS = "checkpoint_previous.pt"
"""No name that fairseq prunes: its patterns want the numbers of epochs, updates or scores."""


@patch(
    "checkpoint copies",
    "fairseq.file_io",
    why="checkpoint_last.pt is copied in place: a crash meanwhile leaves half a file",
)
def copy_by_rename(module: ModuleType) -> bool:
    """Copies beside the destination and renames; other file systems stay with fairseq's own way."""
    manager = module.PathManager
    stock = manager.copy

    @functools.wraps(stock)
    def copy(src_path: str, dst_path: str, overwrite: bool = False) -> Any:
        if not overwrite or not os.path.isfile(src_path) or not os.path.isdir(os.path.dirname(dst_path) or "."):
            return stock(src_path, dst_path, overwrite)
        unfinished = f"{dst_path}.tmp"
        shutil.copyfile(src_path, unfinished)
        _date_as(src_path, unfinished)
        manager.rename(unfinished, dst_path)
        return True

    manager.copy = staticmethod(copy)
    return True


@patch(
    "previous checkpoint",
    "fairseq.file_io",
    why="a new checkpoint_last.pt takes the place of the one before, often the only other checkpoint",
)
def keep_previous(module: ModuleType) -> bool:
    """Keeps the checkpoint that a new `checkpoint_last.pt` replaces, as `checkpoint_previous.pt`.

    In every training of fairseq's, as the patch above, since any may lose its only checkpoint. Sharded checkpoints
    (`checkpoint_last-shard0.pt`) are left alone: `fall_back` could not take one shard from another update.
    """
    manager = module.PathManager
    stock = manager.rename

    @functools.wraps(stock)
    def rename(src: str, dst: str) -> Any:
        if os.path.basename(dst) == LAST and os.path.isfile(dst):
            _keep(Path(dst))
        return stock(src, dst)

    manager.rename = staticmethod(rename)
    return True


def _keep(last: Path) -> None:
    """Gives what `checkpoint_last.pt` holds a second name, so that it outlives it; copies no data."""
    previous, linked = last.with_name(PREVIOUS), last.with_name(f"{PREVIOUS}.tmp")
    try:
        if other_kind(last) is not None:
            return  # damaged: the one that was kept before is worth more
        source = (_twin(last) or last).resolve()
        if previous.exists() and previous.samefile(source):
            return
        with contextlib.suppress(FileNotFoundError):  # of a save that was killed
            linked.unlink()
        os.link(source, linked)
        os.replace(linked, previous)
    except (OSError, zipfile.BadZipFile) as error:  # a file system without hard links, above all
        logger.warning(f"{last} is replaced without being kept as {PREVIOUS}: {error}")


def _twin(last: Path) -> Optional[Path]:
    """A copy of `checkpoint_last.pt` under another name, which takes no more room for being kept."""
    wanted = _size_and_time(last)
    others = (path for path in last.parent.glob("checkpoint*.pt") if path.name not in (LAST, PREVIOUS))
    return next((path for path in others if path.is_file() and _size_and_time(path) == wanted), None)


def _size_and_time(path: Path) -> Tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _date_as(source: str, copied: str) -> None:
    """Gives a copy its source's time, by which `_twin` knows it."""
    found = os.stat(source)
    with contextlib.suppress(OSError):  # some network file systems refuse, which costs room at most
        os.utime(copied, ns=(found.st_atime_ns, found.st_mtime_ns))
