"""Selects the checkpoint from which a run resumes: the requested one, the newest readable one, or none."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator, List, Mapping, Optional, Tuple

from fairseq.file_io import PathManager

from data2vec_compat.safe_load import UnreadableCheckpointError

from ...interop.identify import as_mapping
from ..watching.advice import is_about_the_checkpoint, mismatch
from ..watching.task import WatchedTask
from .saving import LAST

logger = logging.getLogger(__name__)


class CheckpointMismatchError(ValueError):
    """A checkpoint's weights are not those of the model."""


def refuse_missing(trainer: Any, filename: str) -> None:
    """Raise ValueError if the file of `checkpoint.restore_file` or `checkpoint.continue_once` is missing.

    fairseq would silently train from scratch. Every process checks this, since one that does not see the file would
    leave the others waiting.
    """
    cfg = trainer.cfg.checkpoint
    key, path = _asked_for(cfg, trainer.checkpoint_suffix or "")
    if path and path == filename and not PathManager.isfile(path):
        raise ValueError(_missing(cfg, key, path))


def newest_readable(trainer: Any, filename: str, load: Callable[[str], Any]) -> Any:
    """Return ``load`` of a file, or of the newest readable checkpoint if a run's `checkpoint_last.pt` is damaged.

    If none can be read, raises the UnreadableCheckpointError of the first.
    """
    try:
        return load(filename)
    except UnreadableCheckpointError as error:
        if not _is_default(trainer.cfg.checkpoint, filename):
            raise
        first = reason = error
    for path in _newest_first(trainer.cfg.checkpoint):
        logger.warning(f"{reason}; resuming from {path} instead")
        try:
            return load(str(path))
        except UnreadableCheckpointError as error:
            reason = error
    raise first


@contextmanager
def mismatch_explained(trainer: Any, filename: str) -> Iterator[None]:
    """Context that raises CheckpointMismatchError with the reason why a checkpoint does not fit; fairseq gives none."""
    try:
        yield
    except Exception as error:
        if not isinstance(trainer.task, WatchedTask) or not is_about_the_checkpoint(error, filename):
            raise
        raise CheckpointMismatchError(mismatch(trainer, filename, error)) from error


def tell_other_seed(trainer: Any, path: str, state: Mapping[str, Any]) -> None:
    """Warn about a run that is resumed with another seed than its checkpoint's: its random draws differ from then
    on."""
    if not isinstance(trainer.task, WatchedTask):
        return
    saved = as_mapping(as_mapping(state.get("cfg")).get("common")).get("seed")
    if saved is None:
        return
    seed = trainer.cfg.common.seed
    if saved != seed:
        logger.warning(
            f"`common.seed` is {seed}, but {path} was saved with {saved}: order, crops and masks continue with the "
            "new seed, and the rest of a started epoch may repeat samples. To continue the same run, set "
            f"`common.seed={saved}`"
        )


def _is_default(cfg: Any, filename: str) -> bool:
    """Whether a run resumes automatically, from a file that the user did not name; a shard has no alternative."""
    return bool(cfg.restore_file == LAST) and filename == os.path.join(cfg.save_dir, LAST)


def _newest_first(cfg: Any) -> List[Path]:
    """Return the checkpoints of a run except `checkpoint_last.pt`, the last written one first."""
    others = (path for path in Path(cfg.save_dir).glob("checkpoint*.pt") if path.name != LAST)
    return sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _asked_for(cfg: Any, suffix: str) -> Tuple[str, Optional[str]]:
    """Return the key that names a file, and fairseq's path for it; None if a first launch has nothing to load.

    The default name with its folder counts as the default, since scripts use it both to start and to repeat a run. An
    empty name requests nothing.
    """
    last = os.path.join(cfg.save_dir, LAST)
    if not cfg.restore_file:
        return "restore_file", None
    if cfg.restore_file != LAST:
        is_default = os.path.abspath(cfg.restore_file) == os.path.abspath(last)
        return "restore_file", None if is_default else cfg.restore_file.replace(".pt", f"{suffix}.pt")
    once = getattr(cfg, "continue_once", None)
    return "continue_once", None if PathManager.exists(last.replace(".pt", f"{suffix}.pt")) else once


def _missing(cfg: Any, key: str, path: str) -> str:
    given = getattr(cfg, key)
    looked = "" if os.path.isabs(path) or "://" in path else f"; relative paths start at {os.getcwd()}"
    below = Path(cfg.save_dir) / path
    meant = f"; `checkpoint.{key}={below}` exists" if looked and below.is_file() else ""
    named = "" if path == given else f" (as {path}, for this process)"
    return (
        f"`checkpoint.{key}` is {given!r}, which is not an existing file{named}{looked}{meant}. Set the key to the "
        f"checkpoint to resume from, or remove the key to start a new run or resume from {LAST} in "
        "`checkpoint.save_dir`"
    )
