"""For fairseq's commands that accept any checkpoint: reports checkpoints that they cannot load, and finds
dictionaries."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from ...checkpoints.saved_file import identify_file
from ...interop.identify import OURS_ONLY
from .averaged_weights import take_average
from .reader import reading_for

logger = logging.getLogger(__name__)

DICTIONARY = "dict.txt"


def load_models(
    stock: Any, filenames: Sequence[str], arg_overrides: Optional[Dict[str, Any]] = None, *args: Any, **kwargs: Any
) -> Any:
    """``load_model_ensemble_and_task`` of `fairseq.checkpoint_utils`, which loads models for evaluation.

    Raises ValueError for a checkpoint that no model can be built from.
    """

    def load(overrides: Optional[Dict[str, Any]]) -> Any:
        with reading_for(take_average):
            return stock(filenames, overrides, *args, **kwargs)

    try:
        return load(arg_overrides)
    except FileNotFoundError as error:
        found = beside(filenames[0], error, arg_overrides or {})
        return load({**(arg_overrides or {}), "data": str(found)})
    except (ValueError, OSError):
        raise  # already has a clear message
    except Exception as error:
        fault = next(filter(None, map(unloadable, filenames)), "")
        if not fault:
            raise
        raise ValueError(fault) from error


def beside(path: str, error: FileNotFoundError, given: Dict[str, Any]) -> Path:
    """Return the checkpoint's folder if it has the dictionary that is missing elsewhere; else raise FileNotFoundError.

    A text model's task reads its dictionary from `task.data`, the one path of a configuration that matters.
    """
    missing, folder = Path(str(error.filename)), Path(path).parent
    if missing.name != DICTIONARY or "data" in given:
        raise error
    if not (folder / DICTIONARY).is_file():
        raise FileNotFoundError(
            error.errno,
            f"{missing}, the dictionary with which checkpoint {path} was trained, is missing; put it next to the "
            "checkpoint, or pass its folder as `data`",
        ) from error
    logger.warning(f"{missing} is missing: using {folder / DICTIONARY} for {path}")
    return folder


def unloadable(path: str) -> str:
    """Return why no model can be built from a checkpoint, or an empty string if no reason is found."""
    from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY

    found = identify_file(path)
    if not found.model:
        return f"checkpoint {path}: {found.message(OURS_ONLY)}"
    registered = {**MODEL_REGISTRY, **ARCH_MODEL_REGISTRY}
    unknown = [name for name in (found.model, found.encoder) if name and name not in registered]
    if unknown:
        return (
            f"checkpoint {path}: it is {found.words}; neither fairseq nor `common.user_dir` has a model `{unknown[0]}`"
        )
    return ""
