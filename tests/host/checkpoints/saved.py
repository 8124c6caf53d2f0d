"""What a run of fairseq's leaves in its folder."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import torch
from fairseq import checkpoint_utils
from torch import nn

from data2vec_plugin.host.watching.task import WatchedTask


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.iterdir())


def step_of(path: Path) -> int:
    return int(torch.load(path, weights_only=True)["step"])


def run_saves(folder: Path, updates: int, keep: int = -1, task: Any = None) -> None:
    """fairseq's saving after so many updates, at every hundredth under a name of its own as well.

    The run is ours if no other task is given.
    """
    from fairseq.dataclass.configs import CheckpointConfig

    def save_checkpoint(path: str, extra_state: Any) -> None:
        checkpoint_utils.torch_persistent_save({"step": updates}, path)

    trainer = SimpleNamespace(
        data_parallel_rank=0,
        consolidate_optimizer=lambda: None,
        should_save_checkpoint_on_current_rank=True,
        get_num_updates=lambda: updates,
        checkpoint_suffix="",
        task=WatchedTask() if task is None else task,
        get_model=lambda: nn.Linear(1, 1),
        save_checkpoint=save_checkpoint,
    )
    iterator = SimpleNamespace(epoch=1, end_of_epoch=lambda: False, state_dict=dict)
    cfg = CheckpointConfig(save_dir=str(folder), save_interval_updates=100, keep_interval_updates=keep)
    checkpoint_utils.save_checkpoint(cfg, trainer, iterator, None)
