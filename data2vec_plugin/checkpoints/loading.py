"""Commands of fairseq's that take any checkpoint are told what one is that they cannot take."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any, Sequence

from ..interop.identify import OURS_ONLY
from .identify import identify_file


def explain_models(module: ModuleType) -> None:
    """Wrap the function of ``fairseq.checkpoint_utils`` that loads models; harmless when done twice."""
    stock = module.load_model_ensemble_and_task
    if getattr(stock, "explains_models", False):
        return

    @functools.wraps(stock)
    def load_model_ensemble_and_task(filenames: Sequence[str], *args: Any, **kwargs: Any) -> Any:
        try:
            return stock(filenames, *args, **kwargs)
        except (ValueError, OSError):
            raise  # in words already
        except Exception as error:
            fault = next(filter(None, map(unloadable, filenames)), "")
            if not fault:
                raise
            raise ValueError(fault) from error

    load_model_ensemble_and_task.explains_models = True  # type: ignore[attr-defined]
    module.load_model_ensemble_and_task = load_model_ensemble_and_task  # type: ignore[attr-defined]


def unloadable(path: str) -> str:
    """Why no model can be built from a checkpoint; empty if that is not the matter."""
    from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY

    found = identify_file(path)
    if not found.model or found.kind == "data2vec2":
        return f"checkpoint {path}: {found.told(OURS_ONLY)}"
    unknown = [
        name for name in (found.model, found.encoder) if name and name not in {**MODEL_REGISTRY, **ARCH_MODEL_REGISTRY}
    ]
    if unknown:
        return (
            f"checkpoint {path}: it is {found.words}; neither fairseq nor `common.user_dir` has a model `{unknown[0]}`"
        )
    return ""
