"""Load a trained model with its task from the folder of its run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Mapping

from fairseq import checkpoint_utils

from .encoder_checkpoint import updates
from .saved_file import read_checkpoint

BEST, LAST = "checkpoint_best.pt", "checkpoint_last.pt"


@dataclass(frozen=True)
class TrainedRun:
    """A model in evaluation mode with its task; ``criterion`` is the criterion's section of the configuration."""

    path: Path
    model: Any
    task: Any
    criterion: Dict[str, Any]
    num_updates: int


def checkpoint_of(run: Path) -> Path:
    """Return ``run`` if it is a file, else the best or the last checkpoint in it; raises ValueError without one."""
    if run.is_file():
        return run
    found = [run / name for name in (BEST, LAST) if (run / name).is_file()]
    if not found:
        raise ValueError(f"{run} holds neither {BEST} nor {LAST}; use the folder of a run, or a checkpoint")
    return found[0]


def load_run(run: Path, model: str, recipes: str, task_keys: Mapping[str, Any]) -> TrainedRun:
    """Load a run of ``model``; ``task_keys`` that are not None replace the keys of its task.

    Raises ValueError, which names the ``recipes`` of the model, for a checkpoint of another model.
    """
    path = checkpoint_of(run)
    state = read_checkpoint(path)
    cfg = state.get("cfg") or {}
    name = (cfg.get("model") or {}).get("_name")
    if name != model:
        raise ValueError(f"{path} is of model `{name}`; expected `{model}`, as trained by `{recipes}`")
    overrides = {key: value for key, value in task_keys.items() if value is not None}
    models, saved, task = checkpoint_utils.load_model_ensemble_and_task([str(path)], arg_overrides=overrides)
    return TrainedRun(path, models[0].eval(), task, dict(saved.criterion), updates(state))
