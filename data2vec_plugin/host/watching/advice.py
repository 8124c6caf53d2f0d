"""Settings to change, for a run that cannot continue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ...interop.identify import identify
from ...interop.mismatch import explain, own_shapes, shapes
from ...interop.parts import plain_names


def not_finite(trainer: Any, samples: Any) -> str:
    """Advice for NaN or infinite gradients."""
    lr, common = trainer.get_lr(), trainer.cfg.common
    half = "`common.bf16=true` instead of fp16, or " if common.fp16 else ""
    return (
        f"gradients are NaN or infinite at update {trainer.get_num_updates() + 1} (lr {lr:.3g}); {describe(samples)}. "
        f"Try {half}a lower `optimization.lr`, a longer warm-up, or `optimization.clip_norm=1`; the line above names "
        "the module where it started. Nothing before the last checkpoint is lost: start again with the changed key"
    )


def out_of_memory(samples: Any, knobs: str) -> str:
    """Advice for batches that do not fit; ``knobs`` are the task's suggestions."""
    return f"out of memory; {describe(samples)}. Try this: {knobs}"


def is_about_the_checkpoint(error: Exception, filename: str) -> bool:
    """Whether fairseq failed because a checkpoint does not match the model, or is not a model's."""
    from ...checkpoints.saved_file import identify_file

    if "Cannot load model parameters" in str(error):
        return True
    return isinstance(error, (LookupError, AttributeError, TypeError)) and not identify_file(filename).model


def mismatch(trainer: Any, filename: str, error: Exception) -> str:
    """Return why fairseq could not load a checkpoint into its model, and what to do."""
    from ...checkpoints.saved_file import read_checkpoint

    state, model = read_checkpoint(filename), trainer.get_model()
    found = identify(state)
    if found.model and found.model != trainer.cfg.model._name:
        reason = found.message(f"this run trains `{trainer.cfg.model._name}`")
    elif "model" not in state:
        reason = found.message("expected a checkpoint of a training run")
    else:
        saved = state["model"]
        if hasattr(model, "upgrade_state_dict"):
            model.upgrade_state_dict(saved)
        reason = explain(plain_names(model, shapes(saved)), plain_names(model, own_shapes(model))) or str(
            error.__context__ or error
        )
    return f"cannot resume from {filename}: {reason}. {_way_out(trainer.cfg.checkpoint, filename)}"


def _way_out(checkpoint: Any, filename: str) -> str:
    """Return what to do about a checkpoint that does not match, by whether the run has saved it itself."""
    key = _given_by(checkpoint, filename)
    if key:
        return f"It is `checkpoint.{key}`: use the size and settings that it was trained with, or another checkpoint"
    return (
        "To start a new run, choose another `checkpoint.save_dir`; to resume, use the settings that it was trained with"
    )


def _given_by(checkpoint: Any, filename: str) -> str:
    """The key that named a file; empty for a checkpoint in the run's own folder, which fairseq finds by itself."""
    for key in ("finetune_from_model", "continue_once"):
        if getattr(checkpoint, key, None) == filename:
            return key
    own = Path(filename).resolve().parent == Path(checkpoint.save_dir).resolve()
    return "" if own else "restore_file"


def describe(samples: Any) -> str:
    """Describe the batches of an update by shape and sample ids."""
    parts = []
    for sample in samples:
        if not sample:
            continue
        shape = tuple(next(v for v in sample["net_input"].values() if torch.is_tensor(v)).shape)
        ids = sample["id"].tolist()
        shown = ", ".join(map(str, ids[:8])) + (", …" if len(ids) > 8 else "")
        parts.append(f"batch {shape}, samples {shown}")
    return "; ".join(parts) or "an empty batch"
