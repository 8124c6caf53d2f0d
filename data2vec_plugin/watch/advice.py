"""The likely knob, for a run that cannot go on."""

from __future__ import annotations

from typing import Any

import torch

from ..interop.mismatch import explain, shapes


def not_finite(trainer: Any, samples: Any) -> str:
    """Advice for NaN or infinite gradients."""
    lr, common = trainer.get_lr(), trainer.cfg.common
    half = "`common.bf16=true` instead of fp16, or " if common.fp16 else ""
    return (
        f"gradients are NaN or infinite at update {trainer.get_num_updates() + 1} (lr {lr:.3g}); "
        f"{describe(samples)}. Likely knobs: {half}lower `optimization.lr`, a longer warm-up, "
        f"`optimization.clip_norm=1`; the line above says in which module it began. Nothing before the last checkpoint "
        f"is lost: start again with the changed key"
    )


def out_of_memory(sample: Any, knobs: str) -> str:
    """Advice for a batch that does not fit; ``knobs`` are the task's."""
    return f"out of memory; {describe([sample])}. Likely knobs: {knobs}"


def mismatch(trainer: Any, filename: str, error: Exception) -> str:
    """What is wrong with a checkpoint that fairseq could not load into its model."""
    from fairseq.checkpoint_utils import load_checkpoint_to_cpu

    saved = load_checkpoint_to_cpu(filename)["model"]
    model = trainer.get_model()
    if hasattr(model, "upgrade_state_dict"):
        model.upgrade_state_dict(saved)
    reason = explain(shapes(saved), shapes(model.state_dict())) or str(error.__context__ or error)
    advice = "To begin anew, choose another `checkpoint.save_dir` or delete the file"
    return f"cannot go on from {filename}: {reason}. {advice}"


def describe(samples: Any) -> str:
    """The batches of an update by shape and sample ids."""
    parts = []
    for sample in samples:
        if not sample:
            continue
        shape = tuple(next(v for v in sample["net_input"].values() if torch.is_tensor(v)).shape)
        ids = sample["id"].tolist()
        shown = ", ".join(map(str, ids[:8])) + (", …" if len(ids) > 8 else "")
        parts.append(f"batch {shape}, samples {shown}")
    return "; ".join(parts) or "an empty batch"
