"""A checkpoint of fairseq's main branch, or of a newer release, names task keys that this one lacks.

For models every fairseq drops such keys of a checkpoint; for tasks only `main` does.
"""

import dataclasses
import functools
import inspect
import logging
from types import ModuleType
from typing import Any, Iterator

from data2vec_compat.registry import patch

logger = logging.getLogger(__name__)


@patch(
    "task keys in checkpoints",
    "fairseq.checkpoint_utils",
    why="released checkpoints hold task keys of fairseq main: ConfigKeyError for multi_corpus_keys",
)
def mend(module: ModuleType) -> bool:
    """Wraps the one function through which every loader reads a checkpoint's configuration."""
    stock = module.load_checkpoint_to_cpu

    @functools.wraps(stock)
    def load_checkpoint_to_cpu(*args: Any, **kwargs: Any) -> Any:
        state = stock(*args, **kwargs)
        for task in _tasks(state.get("cfg")):
            _drop_unknown_keys(task)
        return state

    module.load_checkpoint_to_cpu = load_checkpoint_to_cpu  # type: ignore[attr-defined]
    return True


def _tasks(cfg: Any) -> Iterator[Any]:
    """The task's configuration, and that of the pre-training which a fine-tuned model keeps in `w2v_args`."""
    while cfg is not None:
        task, model = _entry(cfg, "task"), _entry(cfg, "model")
        if hasattr(task, "keys"):
            yield task
        cfg = _entry(model, "w2v_args")


def _entry(cfg: Any, key: str) -> Any:
    """A value of a configuration, or None; omegaconf 2.0 raises for `get` of a key that is not there."""
    return cfg[key] if hasattr(cfg, "keys") and key in cfg else None


def _drop_unknown_keys(task: Any) -> None:
    """Does what `main`'s setup_task does with a configuration from a checkpoint."""
    from fairseq.tasks import TASK_DATACLASS_REGISTRY, setup_task

    known = TASK_DATACLASS_REGISTRY.get(_entry(task, "_name"))
    if known is not None and "from_checkpoint" not in inspect.signature(setup_task).parameters:
        _keep_fields(task, known)


def _keep_fields(cfg: Any, dataclass: type) -> None:
    from omegaconf import open_dict

    kinds = {field.name: field.type for field in dataclasses.fields(dataclass)}
    with open_dict(cfg):
        for key in list(cfg.keys()):
            kind = kinds.get(key)
            if key not in kinds:
                logger.info(f"this fairseq has no task key `{key}`: left out of the checkpoint's configuration")
                del cfg[key]
            elif isinstance(kind, type) and dataclasses.is_dataclass(kind) and hasattr(cfg[key], "keys"):
                _keep_fields(cfg[key], kind)
