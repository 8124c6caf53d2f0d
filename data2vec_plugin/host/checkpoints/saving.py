"""Makes a crash cost no more than the updates since the last checkpoint.

fairseq writes one checkpoint file by rename and copies it over the others in place: if it is killed while copying, or
runs out of disk space, it leaves a partial `checkpoint_last.pt`, from which the run cannot resume. Often that is the
only checkpoint.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any, Iterator, Optional, Tuple

from fairseq import checkpoint_utils
from fairseq.file_io import PathManager

from data2vec_compat.file_kinds import other_kind

from ..our_runs import is_ours

logger = logging.getLogger(__name__)

LAST = "checkpoint_last.pt"
PREVIOUS = "checkpoint_previous.pt"
"""A name that fairseq does not prune: its patterns require numbers of epochs, updates or scores."""


def save(stock: Any, cfg: Any, trainer: Any, *args: Any, **kwargs: Any) -> Any:
    """``save_checkpoint`` of `fairseq.checkpoint_utils`; runs of this plugin move files to their final names by
    renaming."""
    if not is_ours(trainer.task, trainer.get_model()):
        return stock(cfg, trainer, *args, **kwargs)
    with _careful_files():
        return stock(cfg, trainer, *args, **kwargs)


class CarefulFiles(PathManager):  # type: ignore[misc]
    """fairseq's file access that overwrites no checkpoint in place, and keeps the one before the last."""

    @staticmethod
    def copy(src_path: str, dst_path: str, overwrite: bool = False) -> Any:
        """Copy a local file next to the destination and rename it; other copies are fairseq's own."""
        if not overwrite or not os.path.isfile(src_path) or not os.path.isdir(os.path.dirname(dst_path) or "."):
            return PathManager.copy(src_path, dst_path, overwrite)
        unfinished = f"{dst_path}.tmp"
        shutil.copyfile(src_path, unfinished)
        _date_as(src_path, unfinished)
        CarefulFiles.rename(unfinished, dst_path)
        return True

    @staticmethod
    def rename(src: str, dst: str) -> Any:
        """Rename as fairseq does, but keep a replaced `checkpoint_last.pt` as `checkpoint_previous.pt`.

        Sharded checkpoints (`checkpoint_last-shard0.pt`) are not kept: a single shard of another update is useless.
        """
        if os.path.basename(dst) == LAST and os.path.isfile(dst):
            _keep(Path(dst))
        return PathManager.rename(src, dst)


@contextlib.contextmanager
def _careful_files() -> Iterator[None]:
    """Context in which fairseq saves checkpoints through :class:`CarefulFiles`."""
    before = checkpoint_utils.PathManager
    checkpoint_utils.PathManager = CarefulFiles
    try:
        yield
    finally:
        checkpoint_utils.PathManager = before


def _keep(last: Path) -> None:
    """Keep the content of `checkpoint_last.pt` as `checkpoint_previous.pt`, by a hard link; copies no data."""
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
    """Find a copy of `checkpoint_last.pt` under another name: a link to it takes no disk space as long as it exists."""
    wanted = _size_and_time(last)
    others = (path for path in last.parent.glob("checkpoint*.pt") if path.name not in (LAST, PREVIOUS))
    return next((path for path in others if path.is_file() and _size_and_time(path) == wanted), None)


def _size_and_time(path: Path) -> Tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _date_as(source: str, copied: str) -> None:
    """Give a copy its source's time, by which `_twin` recognises it."""
    found = os.stat(source)
    with contextlib.suppress(OSError):  # some network file systems refuse, which only costs disk space
        os.utime(copied, ns=(found.st_atime_ns, found.st_mtime_ns))
