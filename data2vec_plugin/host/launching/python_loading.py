"""Imports the plugin when a data2vec checkpoint is loaded in Python, or by a command without `--user-dir`."""

import functools
from importlib import import_module
from types import ModuleType
from typing import Any, Sequence

from .ours import PLUGIN, is_imported, names_plugin

PREFIX = "data2vec_"
OTHERS = ("image_pretraining", "image_classification")


def import_for_checkpoints(module: ModuleType) -> bool:
    """Imports the plugin before fairseq builds the task and the model of a checkpoint that needs it."""
    stock = module.load_model_ensemble_and_task

    @functools.wraps(stock)
    def load_model_ensemble_and_task(filenames: Sequence[str], *args: Any, **kwargs: Any) -> Any:
        if not is_imported() and any(map(needs_us, filenames)):
            module.load_model_ensemble_and_task = stock  # type: ignore[attr-defined]
            import_module(PLUGIN)  # which replaces this function by its own reader
            return module.load_model_ensemble_and_task(filenames, *args, **kwargs)
        return stock(filenames, *args, **kwargs)

    module.load_model_ensemble_and_task = load_model_ensemble_and_task  # type: ignore[attr-defined]
    return True


def needs_us(path: str) -> bool:
    """Whether a checkpoint's configuration names this plugin, or one of its models or tasks; tensors are not loaded.

    False if other code, such as upstream's, has registered data2vec's models. Unreadable files are reported by fairseq.
    """
    import zipfile

    import torch
    from fairseq.models import MODEL_REGISTRY

    from data2vec_compat.safe_load import load_allowed

    try:
        if not is_imported() and any(map(_is_named_by_us, MODEL_REGISTRY)):
            return False
        if not zipfile.is_zipfile(path):
            return False  # of torch before 1.6: upstream's data2vec is younger
        state = load_allowed(torch, path, map_location="cpu", mmap=True)
        cfg = state.get("cfg") if isinstance(state, dict) else None
        if cfg is None:
            return False
        names = [_value(cfg, section, "_name") for section in ("task", "model")]
        return names_plugin(_value(cfg, "common", "user_dir")) or any(map(_is_named_by_us, names))
    except (OSError, ValueError, RuntimeError, LookupError, AttributeError, TypeError):
        return False


def _value(cfg: Any, section: str, key: str) -> Any:
    """A value of a checkpoint's configuration, which holds plain dicts or omegaconf's; None if it is not there."""
    found = cfg[section] if section in cfg else None  # noqa: SIM401  omegaconf 2.0 raises for what is not there
    return found[key] if found is not None and key in found else None


def _is_named_by_us(name: Any) -> bool:
    return str(name).startswith(PREFIX) or name in OTHERS
