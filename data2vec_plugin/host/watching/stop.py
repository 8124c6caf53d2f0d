"""Saves the work of a run that stops by itself, and leaves a finished run unchanged.

fairseq only saves at its own times, and checks after an update whether it was the last: started again, a finished run
would make one more each time, and overwrite its checkpoint.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict

import torch
from fairseq import checkpoint_utils

from ...criterions.collapse import CollapseError
from ...data.bad_files import BadFileError
from ..our_runs import is_ours
from .progress import paced
from .together import SharedFileError

logger = logging.getLogger(__name__)

BEFORE = "checkpoint_before_collapse"
"""The name under which the last checkpoint is kept when collapsed weights replace it."""


@dataclass(frozen=True)
class Place:
    """The position of a run, in the form in which fairseq saves it."""

    epoch: int
    state: Dict[str, Any]

    def end_of_epoch(self) -> bool:
        """Return False: an epoch's own checkpoint is for fairseq to write."""
        return False

    def state_dict(self) -> Dict[str, Any]:
        """The position from which a run is resumed."""
        return self.state


def train_epoch(stock: Any, cfg: Any, trainer: Any, task: Any, epoch_itr: Any) -> Any:
    """``train`` of `fairseq_cli.train`, which trains an epoch; a data2vec run that stops in it saves first."""
    with paced(cfg, trainer, epoch_itr):
        return _train_epoch(stock, cfg, trainer, task, epoch_itr)


def _train_epoch(stock: Any, cfg: Any, trainer: Any, task: Any, epoch_itr: Any) -> Any:
    if not is_ours(trainer.task, trainer.get_model()):
        return stock(cfg, trainer, task, epoch_itr)
    if has_ended(cfg.optimization, trainer):
        return [None], True  # no validation loss, and no further epoch
    begun = taken(epoch_itr)
    try:
        return stock(cfg, trainer, task, epoch_itr)
    except (BadFileError, SharedFileError, CollapseError) as error:
        in_update = isinstance(error, SharedFileError) and error.in_update
        saved = stop(cfg.checkpoint, trainer, place(epoch_itr, begun, cfg, in_update), error)
        said = error.own_words() if isinstance(error, BadFileError) else str(error)
        error.args = (f"{said}. {saved}",)
        raise


def has_ended(optimization: Any, trainer: Any) -> bool:
    """Whether a run has already made all its updates, which is logged."""
    done, goal = trainer.get_num_updates(), optimization.max_update or 0
    if not 0 < goal <= done:
        return False
    logger.info(
        f"nothing is left to do: {done:,} updates are made, and `optimization.max_update` is {goal:,}; no checkpoint "
        "is written. With a larger one the run continues"
    )
    return True


def taken(epoch_itr: Any) -> int:
    """Return the number of batches of the coming epoch that an earlier run has seen."""
    resumed = epoch_itr.next_epoch_idx == epoch_itr.epoch
    return int(epoch_itr.iterations_in_epoch) if resumed else 0


def place(epoch_itr: Any, begun: int, cfg: Any, in_update: bool = False) -> Place:
    """Return the end of the last whole update; micro-batches of the next may have been read already.

    The epoch started, or was resumed, at batch ``begun``. With ``in_update`` all batches of the update have been read
    and dropped: an epoch's last update may have fewer than the others, and batches after a bad file are only counted in
    ``batches``.
    """
    freqs = cfg.optimization.update_freq
    freq = freqs[min(epoch_itr.epoch, len(freqs)) - 1]
    state = dict(epoch_itr.state_dict())
    if in_update:
        whole_updates = (epoch_itr.batches.n - begun - 1) // freq
        state.update(epoch=epoch_itr.epoch, iterations_in_epoch=begun + whole_updates * freq)
    elif state["epoch"] == epoch_itr.epoch:
        state["iterations_in_epoch"] -= (state["iterations_in_epoch"] - begun) % freq
    return Place(epoch_itr.epoch, state)


def stop(cfg: Any, trainer: Any, at: Place, error: Exception) -> str:
    """Save if all processes stop together, since saving may need each of them; return which checkpoint there is."""
    last = Path(cfg.save_dir) / f"checkpoint_last{trainer.checkpoint_suffix}.pt"
    alone, collapsed = trainer.data_parallel_world_size == 1, isinstance(error, CollapseError)
    together = collapsed or isinstance(error, SharedFileError)
    if not (alone or together) or cfg.no_save or cfg.no_last_checkpoints or trainer.get_num_updates() == 0:
        return f"The last checkpoint is {last}" if last.exists() else "There is no checkpoint to resume from"
    kept = last.with_name(last.name.replace("checkpoint_last", BEFORE, 1))
    if collapsed and trainer.should_save_checkpoint_on_current_rank:
        keep(last, kept)
    checkpoint_utils.save_checkpoint(cfg, trainer, at, None)
    if not alone:
        torch.distributed.barrier()  # the first to fail ends the others, including the one that writes
    back = f"; `checkpoint.restore_file={kept}` goes back to the one before" if collapsed and kept.exists() else ""
    return f"All {trainer.get_num_updates()} updates are in {last}, from which the same command resumes{back}"


def keep(last: Path, kept: Path) -> None:
    """Copy the last checkpoint to ``kept``, unless an older one is already kept there."""
    if last.exists() and not kept.exists():
        unfinished = kept.with_name(f"{kept.name}.tmp")
        shutil.copyfile(last, unfinished)
        unfinished.replace(kept)
