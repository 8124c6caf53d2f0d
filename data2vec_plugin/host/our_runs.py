"""Which runs are ours: our extensions of fairseq act only on these."""

from __future__ import annotations

from typing import Any

from .watching.task import WatchedTask

PACKAGE = __name__.partition(".")[0]


def is_ours(task: Any, model: Any) -> bool:
    """Whether a task or a model of this plugin is trained, or a model that contains one, such as fairseq's
    `wav2vec_ctc`."""
    return isinstance(task, WatchedTask) or any(is_of_this_package(type(part)) for part in model.modules())


def is_of_this_package(kind: type) -> bool:
    """Whether a class is defined here."""
    return kind.__module__.startswith(f"{PACKAGE}.")
