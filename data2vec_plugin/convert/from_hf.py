"""A folder of Hugging Face's -> a checkpoint of fairseq's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import torch

from ..files.opening import read_bytes
from ..files.writing import replacing, write_atomically
from ..interop.fairseq.text_v1 import vocabulary_size
from .folder import read_config, read_weights
from .modality import Beside, Given, Keys, Modality, check_given, modality
from .weights import HEAD, MASK, PREDICTION, completed, first_teacher, outline

MODEL_TYPES = {"data2vec-audio": "speech", "data2vec-text": "text", "data2vec-vision": "image"}


def from_hf(source: Path, out: Path, given: Given) -> List[str]:
    """Convert; returns what there is to say. Raises ValueError for what cannot be converted."""
    if out.exists():
        raise ValueError(f"`--out`: {out} is there already; give another name")
    hf = read_config(source)
    part, kind = recognised(source, hf)
    check_given(given, MODEL_TYPES[hf["model_type"]])
    section = part.NAMES.config_from_hf(hf, kind)
    beside = part.read_extras(source, hf, kind, given)
    copied = {name: read_bytes(path) for name, path in beside.copies.items()}
    written = {**copied, **{name: text.encode("utf-8") for name, text in beside.files.items()}}
    taken = [name for name, content in written.items() if is_other(out.with_name(name), content)]
    if taken:
        raise ValueError(f"`--out`: {out.with_name(taken[0])} is there and says something else; give another folder")
    state = part.NAMES.weights_from_hf(read_weights(source), kind)
    head = {name: state.pop(name) for name in list(state) if name.startswith(HEAD)}
    model = outline({"model": section}, vocabulary_size(state))
    state, fresh = completed(str(source), state, model, pretrained=kind == "base")
    teacher: Dict[str, Any] = {}
    if kind == "base":
        teacher = {part.LAYOUT.TEACHER: first_teacher(state, model, part.LAYOUT)}  # upstream does not load without one
        part.LAYOUT.to_upstream(state)
    else:
        section, state = part.fine_tuned(section, {**state, **head}, beside)
    for name, content in written.items():
        write_atomically(out.with_name(name), content)
    write_checkpoint(out, checkpoint_state(section, {**state, **teacher}, beside))
    lines = [f"{source}: {', '.join(hf.get('architectures') or [part.NAMES.ARCHITECTURES[kind]])}", *beside.notes]
    if any(name.startswith(PREDICTION) for name in fresh):
        lines.append("its prediction head is fresh, since Hugging Face keeps none: pre-training goes on from a new one")
    if MASK in fresh:
        lines.append("its embedding of what is masked is zeros, since the folder holds none: masking begins with those")
    files = ", ".join([str(out), *(str(out.with_name(name)) for name in written)])
    return [*lines, f"wrote {files}: a checkpoint of `{section['_name']}`"]


def recognised(source: Path, hf: Keys) -> Tuple[Modality, str]:
    """The modality and kind of a folder; raises ValueError for another architecture."""
    found = hf.get("model_type", "unknown")
    if found not in MODEL_TYPES:
        raise ValueError(f"{source} is of model type `{found}`; expected one of {', '.join(MODEL_TYPES)}")
    part = modality(MODEL_TYPES[found])
    names = hf.get("architectures") or [part.NAMES.ARCHITECTURES["base"]]
    kinds = [kind for kind, name in part.NAMES.ARCHITECTURES.items() if name in names]
    kinds += ["base"] if set(names) & set(part.NAMES.OTHER_HEADS) else []
    if not kinds:
        known = ", ".join([*part.NAMES.ARCHITECTURES.values(), *part.NAMES.OTHER_HEADS])
        raise ValueError(f"{source} is of architecture {', '.join(names)}; expected one of {known}")
    return part, kinds[0]


def is_other(path: Path, content: bytes) -> bool:
    """Whether there is a file with other content."""
    return path.exists() and read_bytes(path) != content


def checkpoint_state(section: Mapping[str, Any], weights: Mapping[str, Any], beside: Beside) -> Dict[str, Any]:
    """What fairseq's trainer would have written, before the first update."""
    nothing = {"criterion_name": "", "optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}
    sections = {"criterion": None, "optimizer": None, "lr_scheduler": None}
    return {
        "args": None,
        "cfg": {"_name": None, "common": {"seed": 1}, "model": dict(section), "task": beside.keys, **sections},
        "model": dict(weights),
        "criterion": None,
        "optimizer_history": [nothing],
        "task_state": beside.state,
        "extra_state": {"train_iterator": {"epoch": 1}},
        "last_optimizer_state": None,
    }


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Save under another name, then rename."""
    with replacing(path) as part:
        torch.save(dict(state), part)
