"""Drops keys that a checkpoint of fairseq's main branch, or of a newer release, has and this fairseq lacks.

The release refuses those of a task and silently drops those of a model; main drops both. Here both are dropped and
logged. In a YAML or on a command line, an unknown key is still an error.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
from typing import Any, Dict, Iterator, List, Tuple

logger = logging.getLogger(__name__)

NESTED = ("w2v_args", "pretrained_model_args")
"""Where a fine-tuned model keeps the configuration of the pre-training."""


def keep_known_keys(path: str, state: Dict[str, Any]) -> None:
    """Drop keys of a checkpoint's configuration that task and model do not have, in place, and log them."""
    for group, section in _sections(state.get("cfg")):
        _keep_known(path, group, section)


def _sections(cfg: Any, where: str = "") -> Iterator[Tuple[str, Any]]:
    """Yield task and model of a configuration and of the pre-training inside it, with the keys that lead to them."""
    for group in ("task", "model"):
        section = _entry(cfg, group)
        if hasattr(section, "keys"):
            yield where + group, section
    model = _entry(cfg, "model")
    for key in NESTED:
        yield from _sections(_entry(model, key), f"{where}model.{key}.") if _entry(model, key) is not None else ()


def _entry(cfg: Any, key: str) -> Any:
    """A value of a configuration, or None; omegaconf 2.0 raises for `get` of a key that is not there."""
    return cfg[key] if hasattr(cfg, "keys") and key in cfg else None


def _keep_known(path: str, group: str, section: Any) -> None:
    from fairseq.models import MODEL_DATACLASS_REGISTRY
    from fairseq.tasks import TASK_DATACLASS_REGISTRY

    registry: Dict[str, type] = MODEL_DATACLASS_REGISTRY if group.endswith("model") else TASK_DATACLASS_REGISTRY
    name = _entry(section, "_name")
    dropped = _keep_fields(section, registry[name]) if name in registry else []
    if dropped:
        _warn(
            f"checkpoint {path}: `{group}` is `{name}`, which does not have "
            f"{', '.join(f'`{key}`' for key in dropped)} here: ignored"
        )


@functools.cache
def _warn(message: str) -> None:
    """Log a warning once, however often a file is read."""
    logger.warning(message)


def _keep_fields(cfg: Any, dataclass: type, where: str = "") -> List[str]:
    """Delete keys that a dataclass does not have, in place; return their names."""
    from omegaconf import open_dict

    kinds = {field.name: field.type for field in dataclasses.fields(dataclass)}
    dropped = []
    with open_dict(cfg):
        for key in list(cfg.keys()):
            kind = kinds.get(key)
            if key not in kinds:
                dropped.append(f"{where}{key}")
                del cfg[key]
            elif isinstance(kind, type) and dataclasses.is_dataclass(kind) and hasattr(cfg[key], "keys"):
                dropped += _keep_fields(cfg[key], kind, f"{where}{key}.")
    return dropped
