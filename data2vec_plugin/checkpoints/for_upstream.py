"""Convert a checkpoint of data2vec 2.0 to one that upstream loads: upstream's keys and current names, and nothing
that only this plugin knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, MutableMapping

import torch

from ..files.locks import writing
from ..files.writing import replacing
from ..interop.fairseq.multi_v2 import ModalitiesLayout
from ..interop.identify import CAPITALS, MULTI
from .encoder_checkpoint import FINE_TUNED, Checkpoint, open_checkpoint, plain
from .saved_file import read_checkpoint

OURS = ("target_signal", "checkpoint_activations", "reference_compat")
"""Keys of the model that upstream does not have."""
TASKS = {"data2vec_audio_pretraining": "audio_pretraining", "image_pretraining": "mae_image_pretraining"}
KEYS = {
    "audio_pretraining": (
        *("data", "labels", "binarized_dataset", "sample_rate", "normalize", "enable_padding", "max_sample_size"),
        *("min_sample_size", "num_batch_buckets", "tpu", "text_compression_level", "rebuild_batches"),
        *("precompute_mask_config", "post_save_script", "subsample", "seed"),
    ),
    "mae_image_pretraining": (
        *("data", "multi_data", "input_size", "local_cache_path", "key", "beit_transforms", "target_transform"),
        *("no_transform", "rebuild_batches", "precompute_mask_config", "subsample", "seed", "dataset_type"),
    ),
}
"""Upstream's names of this plugin's tasks, and the keys that upstream's tasks have."""


def to_upstream(source: Path, out: Path) -> List[str]:
    """Convert ``source``, write it to ``out``, and return lines to print.

    Raises ValueError for another model, for settings that upstream does not support, and if ``out`` exists.
    """
    checkpoint = open_checkpoint(source)
    if checkpoint.name != MULTI:
        raise ValueError(
            f"{source} is of model `{checkpoint.name}`, whose checkpoints upstream reads without conversion; `--to "
            f"fairseq` converts checkpoints of `{MULTI}` and Hugging Face folders"
        )
    if out.exists():
        raise ValueError(f"`--out`: {out} already exists; choose another name")
    signal = checkpoint.root["model"].get("target_signal")
    if signal not in (None, "block" if checkpoint.root["model"].get("end_of_block_targets") else "ffn"):
        raise ValueError(
            f"{source} was trained with `model.target_signal: {signal}`, which upstream does not support; expected "
            "targets set by `model.end_of_block_targets`"
        )
    state = read_checkpoint(source)
    state["cfg"], state["args"] = plain(state.get("cfg") or state.get("args")), None
    prefix = FINE_TUNED[str(checkpoint.model["_name"])].prefix if checkpoint.fine_tuned else ""
    state["model"] = upstream_weights(state["model"], checkpoint, prefix)
    for section in sections_of(state["cfg"]):
        as_upstream(section)
    state["last_optimizer_state"] = None
    with writing(out.parent), replacing(out) as part:
        torch.save(state, part)
    notes = ["its optimizer starts fresh there, since its moments are in another order"]
    if checkpoint.root["model"].get("reference_compat") is not True:
        notes.append("padding leaks into neighbouring frames there, so the results of padded batches differ")
    return [f"{source}: {MULTI} for {' and '.join(checkpoint.modalities)}", *notes, f"wrote {out}"]


def upstream_weights(weights: Mapping[str, Any], checkpoint: Checkpoint, prefix: str) -> Dict[str, Any]:
    """Return weights, old or new, under upstream's current names; the teacher's without this plugin's own entries."""
    state = dict(weights)
    first = next(name for name, known in CAPITALS.items() if known in checkpoint.modalities)
    layout = ModalitiesLayout(first, bool(checkpoint.root["model"].get("ema_encoder_only", True)))
    entry = state.pop(prefix + layout.TEACHER, None)
    own = {name: state.pop(name) for name in list(state) if name.startswith(prefix)} if prefix else state
    layout.from_upstream(own, prefix)
    layout.to_upstream(own, prefix)
    state = {**own, **state} if prefix else own
    if entry is not None:
        teacher = dict(entry)
        layout.teacher_from_upstream(teacher)
        layout.teacher_to_upstream(teacher)
        state[prefix + layout.TEACHER] = {name: value for name, value in teacher.items() if not name.startswith("_")}
    return state


def sections_of(cfg: MutableMapping[str, Any]) -> List[MutableMapping[str, Any]]:
    """Return a configuration and, if it is a fine-tuned model's, the one of its encoder."""
    found = [cfg]
    for key in ("w2v_args", "pretrained_model_args"):
        inside = cfg["model"].get(key)
        if isinstance(inside, dict):
            found.append(inside)
    return found


def as_upstream(cfg: MutableMapping[str, Any]) -> None:
    """Rename the task, and drop keys of model and task that upstream does not have, in place."""
    model, task = cfg.get("model"), cfg.get("task")
    if isinstance(model, dict) and model.get("_name") == MULTI:
        cfg["model"] = {name: value for name, value in model.items() if name not in OURS}
    if isinstance(task, dict) and task.get("_name") in (*TASKS, *TASKS.values()):
        name = TASKS.get(str(task["_name"]), str(task["_name"]))
        cfg["task"] = {"_name": name, **{key: value for key, value in task.items() if key in KEYS[name]}}
