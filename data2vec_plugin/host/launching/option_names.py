"""Replaces configuration keys, which our messages name, by options for commands that take options.

``fairseq-hydra-train`` takes `task.labels=phn`, ``fairseq-generate`` and the other commands take `--labels phn`.
"""

import contextlib
import functools
import logging
import re
import sys
from types import ModuleType
from typing import Any, Dict, Iterator, Tuple

from .ours import PLUGIN, is_ours

GROUPS = ("task", "dataset", "common", "checkpoint", "generation", "common_eval", "distributed_training")
TRAINING_GROUPS = (*GROUPS, "model", "criterion", "optimization", "optimizer", "lr_scheduler", "bmuf")
NAMES = {"model": "arch"}
"""Options for a section's `_name`, where they do not have the section's name."""


def name_options(module: ModuleType) -> bool:
    """Wraps the ``main`` of a command that evaluates, so that its messages name options."""
    stock = module.main

    @functools.wraps(stock)
    def main(cfg: Any, *args: Any, **kwargs: Any) -> Any:
        with options_named(cfg, GROUPS):
            return stock(cfg, *args, **kwargs)

    module.main = main  # type: ignore[attr-defined]
    return True


@contextlib.contextmanager
def options_named(cfg: Any, groups: Tuple[str, ...]) -> Iterator[None]:
    """Context in which errors and logs of a data2vec configuration name options; under hydra, they name keys."""
    if not is_ours(cfg) or _under_hydra():
        yield
        return
    log = _LogOptions(groups)
    handlers = logging.getLogger().handlers
    for handler in handlers:
        handler.addFilter(log)
    try:
        yield
    except Exception as error:
        _rename(error, groups)
        raise
    finally:
        for handler in handlers:
            handler.removeFilter(log)


def _under_hydra() -> bool:
    hydra = sys.modules.get("hydra.core.global_hydra")
    return hydra is not None and bool(hydra.GlobalHydra.instance().is_initialized())


def as_options(text: str, groups: Tuple[str, ...] = GROUPS) -> str:
    """Return a message with options instead of keys.

    >>> as_options("`task.labels` (`--labels`) is ltr; set `dataset.num_workers=0` and `task._name=data2vec_asr`")
    '`--labels` is ltr; set `--num-workers 0` and `--task data2vec_asr`'
    """
    key = re.compile(rf"`\+?({'|'.join(groups)})\.(\w+)(?:=([^`]*))?`(?: \(`--[\w-]+`\))?")
    return key.sub(_option, text)


def _option(match: "re.Match[str]") -> str:
    group, key, value = match.groups()
    name = NAMES.get(group, group) if key == "_name" else key
    option = "--" + name.replace("_", "-")
    return f"`{option}`" if value in (None, "true") else f"`{option} {value}`"


def _rename(error: Any, groups: Tuple[str, ...]) -> None:
    """Replace keys by options in an error and its causes."""
    seen: Dict[int, Any] = {}
    while error is not None and id(error) not in seen:
        seen[id(error)] = error
        error.args = tuple(as_options(each, groups) if isinstance(each, str) else each for each in error.args)
        error = error.__cause__ or error.__context__


class _LogOptions(logging.Filter):
    """Passes every record; in those of this plugin, keys are replaced by options."""

    def __init__(self, groups: Tuple[str, ...]) -> None:
        super().__init__()
        self.groups = groups

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] == PLUGIN:
            record.msg, record.args = as_options(record.getMessage(), self.groups), None
        return True
