"""A checkpoint that was asked for and is not there must end the run, not begin another one."""

import functools
import os
from pathlib import Path
from types import ModuleType
from typing import Any, Optional, Tuple

from data2vec_compat.patches.checkpoint_files import LAST
from data2vec_compat.registry import patch


@patch(
    "missing checkpoints",
    "fairseq.checkpoint_utils",
    why="a misspelt checkpoint.restore_file trains from scratch, and says nothing",
)
def refuse(module: ModuleType) -> bool:
    """Raises ValueError if the file of `checkpoint.restore_file` or `checkpoint.continue_once` is not there.

    On every process, since one that does not see it would leave the others waiting.
    """
    stock = module.load_checkpoint

    @functools.wraps(stock)
    def load_checkpoint(cfg: Any, trainer: Any, **options: Any) -> Any:
        key, path = _asked_for(cfg, trainer.checkpoint_suffix or "", module.PathManager.exists)
        if path and not module.PathManager.isfile(path):
            raise ValueError(_missing(cfg, key, path))
        return stock(cfg, trainer, **options)

    module.load_checkpoint = load_checkpoint  # type: ignore[attr-defined]
    return True


def _asked_for(cfg: Any, suffix: str, exists: Any) -> Tuple[str, Optional[str]]:
    """The key that names a file, and the path that fairseq makes of it; none where a first launch has nothing to load.

    The default spelt out, with its folder, is the default: scripts begin and repeat a run by it. An empty name asks
    for nothing.
    """
    last = os.path.join(cfg.save_dir, LAST)
    if not cfg.restore_file:
        return "restore_file", None
    if cfg.restore_file != LAST:
        is_default = os.path.abspath(cfg.restore_file) == os.path.abspath(last)
        return "restore_file", None if is_default else cfg.restore_file.replace(".pt", f"{suffix}.pt")
    once = getattr(cfg, "continue_once", None)
    return "continue_once", None if exists(last.replace(".pt", f"{suffix}.pt")) else once


def _missing(cfg: Any, key: str, path: str) -> str:
    given = getattr(cfg, key)
    looked = "" if os.path.isabs(path) or "://" in path else f"; relative paths begin at {os.getcwd()}"
    below = Path(cfg.save_dir) / path
    meant = f"; `checkpoint.{key}={below}` is there" if looked and below.is_file() else ""
    named = "" if path == given else f" (as {path}, for this process)"
    return (
        f"`checkpoint.{key}` is {given!r}, which is no file here{named}{looked}{meant}. Give the checkpoint to go on "
        f"from, or leave the key out to begin anew or to go on from {LAST} in `checkpoint.save_dir`"
    )
