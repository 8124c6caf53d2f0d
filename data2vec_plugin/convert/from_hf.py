"""A Hugging Face folder -> a fairseq checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import torch

from ..checkpoints.encoder_checkpoint import configuration_errors
from ..files.locks import writing
from ..files.opening import read_bytes
from ..files.unusable import UnusableFileError
from ..files.writing import replacing, write_atomically
from ..interop.fairseq.text_v1 import vocabulary_size
from ..interop.layers import check_layers
from .folder import CONFIG, naming_file, read_config, read_weights
from .modality import Beside, Given, Keys, Modality, check_given, modality
from .weights import HEAD, MASK, PREDICTION, completed, first_teacher, outline

LARGEST = 2**31
"""Upper limit of any size in a configuration."""
SIDES = ("image_size", "patch_size")
"""Keys that hold one number, or one for each side."""
MODEL_TYPES = {"data2vec-audio": "speech", "data2vec-text": "text", "data2vec-vision": "image"}


@dataclass(frozen=True)
class Description:
    """A model in a Hugging Face folder, without its weights."""

    folder: Path
    hf: Keys
    part: Modality
    kind: str
    section: Keys
    """The encoder's section of fairseq's configuration."""
    beside: Beside


def from_hf(source: Path, out: Path, given: Given) -> List[str]:
    """Convert; returns lines to print. Raises ValueError for a model that cannot be converted."""
    if out.exists():
        raise ValueError(f"`--out`: {out} already exists; give another name")
    found = described(source, given)
    beside, part = found.beside, found.part
    copied = {name: read_bytes(path) for name, path in beside.copies.items()}
    written = {**copied, **{name: text.encode("utf-8") for name, text in beside.files.items()}}
    taken = [name for name, content in written.items() if is_other(out.with_name(name), content)]
    if taken:
        raise ValueError(f"`--out`: {out.with_name(taken[0])} exists with other content; give another folder")
    state, fresh = state_of(found)
    with writing(out.parent):
        for name, content in written.items():
            write_atomically(out.with_name(name), content)
        write_checkpoint(out, state)
    names = found.hf.get("architectures") or [part.NAMES.ARCHITECTURES[found.kind]]
    lines = [f"{source}: {', '.join(names)}", *beside.notes]
    if any(name.startswith(PREDICTION) for name in fresh):
        lines.append("its prediction head is newly initialised, since Hugging Face's format has none")
    if MASK in fresh:
        lines.append("its mask embedding is zeros, since the folder has none")
    files = ", ".join([str(out), *(str(out.with_name(name)) for name in written)])
    return [*lines, f"wrote {files}: a checkpoint of `{state['cfg']['model']['_name']}`"]


def described(source: Path, given: Given) -> Description:
    """Read everything except the weights; raises ValueError for a model that cannot be converted."""
    hf = read_config(source)
    with naming_file(source / CONFIG):
        part, kind = recognised(source, hf)
        check_given(given, MODEL_TYPES[hf["model_type"]])
        check_types(source / CONFIG, hf, part.NAMES.DEFAULTS)
        section = part.NAMES.config_from_hf(hf, kind)
    with naming_file(source):
        beside = part.read_extras(source, hf, kind, given)
    return Description(source, hf, part, kind, section, beside)


def state_of(found: Description) -> Tuple[Dict[str, Any], List[str]]:
    """The checkpoint for a folder, and the names of the newly initialised weights.

    Raises ValueError for weights that do not match the folder's configuration.
    """
    source, part, kind, section = found.folder, found.part, found.kind, found.section
    weights = read_weights(source)
    with naming_file(source):
        state = part.NAMES.weights_from_hf(weights, kind)
    head = {name: state.pop(name) for name in list(state) if name.startswith(HEAD)}
    check_layers(str(source), section, state)
    with configuration_errors(source / CONFIG):
        model = outline({"model": section}, vocabulary_size(state))
    state, fresh = completed(str(source), state, model, pretrained=kind == "base")
    teacher: Dict[str, Any] = {}
    if kind == "base":
        teacher = {part.LAYOUT.TEACHER: first_teacher(state, model, part.LAYOUT)}  # upstream does not load without one
        part.LAYOUT.to_upstream(state)
    else:
        section, state = part.fine_tuned(section, {**state, **head}, found.beside)
    return checkpoint_state(section, {**state, **teacher}, found.beside), fresh


def recognised(source: Path, hf: Keys) -> Tuple[Modality, str]:
    """The modality and kind of a folder; raises ValueError for another architecture."""
    found = str(hf.get("model_type", "unknown"))
    if found not in MODEL_TYPES:
        raise ValueError(f"{source} is of model type `{found}`; expected one of {', '.join(MODEL_TYPES)}")
    part = modality(MODEL_TYPES[found])
    names = hf.get("architectures")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise UnusableFileError.of(source / CONFIG, f"`architectures` is {names!r}; expected a list of names")
    names = names or [part.NAMES.ARCHITECTURES["base"]]
    kinds = [kind for kind, name in part.NAMES.ARCHITECTURES.items() if name in names]
    kinds += ["base"] if set(names) & set(part.NAMES.OTHER_HEADS) else []
    if not kinds:
        known = ", ".join([*part.NAMES.ARCHITECTURES.values(), *part.NAMES.OTHER_HEADS])
        raise ValueError(f"{source} is of architecture {', '.join(names)}; expected one of {known}")
    return part, kinds[0]


def check_types(path: Path, hf: Keys, defaults: Mapping[str, Any]) -> None:
    """Raise UnusableFileError for a key whose default is a number, a boolean or a list, but whose value is not."""
    for key, default in defaults.items():
        value = hf.get(key, default)
        listed = isinstance(value, list) and (isinstance(default, list) or key in SIDES)
        several = value if listed else [value]
        like = default[0] if isinstance(default, list) else default
        if not several or not all(is_like(each, like) for each in several):
            raise UnusableFileError.of(path, f"`{key}` is {str(value)[:100]!r}; expected a value such as {default!r}")


def is_like(value: Any, default: Any) -> bool:
    """Whether a value has the type of a default; numbers must be finite and not negative, and integers if it is one."""
    if isinstance(default, (bool, str)):
        return isinstance(value, type(default))
    whole = isinstance(value, int) and not isinstance(value, bool)
    fraction = isinstance(value, float) and not isinstance(default, int)
    return (whole or fraction) and bool(0 <= value <= LARGEST)


def is_other(path: Path, content: bytes) -> bool:
    """Whether a file with other content exists."""
    return path.exists() and read_bytes(path) != content


def checkpoint_state(section: Mapping[str, Any], weights: Mapping[str, Any], beside: Beside) -> Dict[str, Any]:
    """The checkpoint that fairseq's trainer would write before the first update."""
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
