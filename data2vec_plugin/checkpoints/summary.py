"""Facts of a checkpoint, from its configuration and the names and shapes of its weights."""

from __future__ import annotations

import math
import numbers
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Optional, Tuple

import torch
from fairseq.models import MODEL_DATACLASS_REGISTRY
from torch import Tensor

from data2vec_compat.file_kinds import architecture, hugging_face_config, kind_of_folder, safetensors_header

from ..core.teacher import FORMAT_KEY, UPDATES_KEY
from ..files.onnx_model import OnnxModel, is_onnx, read_onnx
from ..files.unusable import UnusableFileError
from ..interop.identify import (
    CONVERT,
    INSIDE,
    Identity,
    as_mapping,
    identify,
    last_entry,
    of_weights,
    sections,
    weights_of,
)
from ..interop.layers import count_layers
from .exported import CTC, exported
from .saved_file import read_mapped

TEACHERS = ("_ema", "encoder._ema")
WIDTHS = ("encoder_embed_dim", "transformer.encoder.embed_dim", "embed_dim")
HEADS = ("encoder_attention_heads", "transformer.encoder.attention_heads", "num_heads")
OUTPUTS = ("w2v_encoder.proj.weight", "head.weight")
"""Weights with a row for each output symbol or class."""


@dataclass
class Summary:
    """Facts of a file; unknown ones are None or empty."""

    file: str
    bytes: int
    kind: str
    words: str
    advice: str = ""
    model: str = ""
    encoder: str = ""
    modality: str = ""
    modalities: Tuple[str, ...] = ()
    layers: Optional[int] = None
    width: Optional[int] = None
    heads: Optional[int] = None
    parameters: int = 0
    precision: str = ""
    task: str = ""
    updates: Optional[int] = None
    epoch: Optional[int] = None
    normalize: Optional[bool] = None
    symbols: Optional[int] = None
    labels: Optional[str] = None
    """Ending of the label files that a recogniser was trained on."""
    post_process: Optional[str] = None
    """fairseq's name of the step that joins its symbols to words."""
    teacher: bool = False
    teacher_updates: Optional[int] = None
    optimizer: Optional[str] = None
    fine_tuned_from: Optional[str] = None
    written_by: str = ""
    sample_rate: Optional[int] = None
    opset: Optional[int] = None
    """Version of ONNX's operators."""
    exported_from: Optional[str] = None
    missing_paths: List[str] = field(default_factory=list)


def summarise(path: Path) -> Summary:
    """Summarise a file or a Hugging Face folder; raises ValueError if it cannot be read or could run code."""
    config = hugging_face_config(path) if path.is_dir() else None
    if config is not None:
        return of_folder(path, config)
    if path.is_file():
        with path.open("rb") as file:
            header = safetensors_header(file)
        if header is not None:
            return of_safetensors(path, header)
        if is_onnx(path):
            return of_onnx(path, read_onnx(path))
    return of_state(path, read_mapped(path))


def of_state(path: Path, state: Any) -> Summary:
    """Summarise the content of a file that torch saved."""
    found = identify(state)
    summary = of_identity(path, path.stat().st_size, found)
    if not isinstance(state, Mapping):
        return summary
    weights = {str(name): value for name, value in weights_of(state).items() if isinstance(value, Tensor)}
    describe_weights(summary, weights)
    model, task = sections(state)
    describe_configuration(summary, model, task)
    describe_run(summary, state)
    describe_teacher(summary, weights_of(state))
    summary.symbols = symbols(summary, state, weights)
    summary.missing_paths = sorted(set(missing_paths(state.get("cfg") or state.get("args"))))
    return summary


def of_identity(path: Path, size: int, found: Identity) -> Summary:
    """Return a summary in which only size, kind and names are filled in."""
    names = (found.model, found.encoder, found.modality, found.modalities)
    return Summary(str(path), size, found.kind, found.words, found.advice, *names)


def of_folder(path: Path, config: Mapping[str, Any]) -> Summary:
    """Summarise a Hugging Face folder from its configuration."""
    kind = kind_of_folder(path)
    size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    summary = Summary(str(path), size, kind.name, kind.words, kind.advice, model=architecture(dict(config)))
    summary.layers, summary.width = number(config, "num_hidden_layers"), number(config, "hidden_size")
    summary.heads, summary.symbols = number(config, "num_attention_heads"), number(config, "vocab_size")
    return summary


def of_onnx(path: Path, model: OnnxModel) -> Summary:
    """Summarise an ONNX file, exported by this package or another."""
    summary = Summary(str(path), path.stat().st_size, "onnx", "an ONNX file", model=", ".join(model.outputs))
    summary.parameters = sum(model.parameters.values())
    summary.precision = ", ".join(precision for precision, _ in model.parameters.most_common())
    summary.opset = model.opsets.get("")
    summary.written_by = model.producer
    facts = exported(path, model)
    if facts is None:
        summary.advice = "it was not exported by this package, which cannot run it"
        return summary
    what = "a CTC recogniser" if facts.what == CTC else "an encoder"
    summary.words = f"an ONNX file of {what} on `{facts.model}` ({facts.modality})"
    summary.kind, summary.encoder, summary.modality = f"onnx-{facts.what}", facts.model, facts.modality
    summary.modalities, summary.symbols = (facts.modality,), len(facts.symbols) or None
    if facts.modality == "speech":
        summary.sample_rate, summary.normalize = facts.sample_rate, facts.normalize
    summary.exported_from = f"{facts.checkpoint} ({facts.digest})"
    summary.written_by = facts.versions
    return summary


def number(section: Mapping[str, Any], key: str) -> Optional[int]:
    """Return the whole number under ``key``; None if it is anything else."""
    value = section.get(key)
    return int(value) if isinstance(value, numbers.Integral) and not isinstance(value, bool) else None


def of_safetensors(path: Path, header: Mapping[str, Any]) -> Summary:
    """Summarise a safetensors file from its header."""
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    check_header(path, entries)
    found = of_weights(entries) or Identity("nothing", "a safetensors file without tensors", CONVERT)
    summary = of_identity(path, path.stat().st_size, found)
    summary.parameters = sum(math.prod(entry["shape"]) for entry in entries.values())
    summary.precision = ", ".join(sorted({str(entry["dtype"]).lower() for entry in entries.values()}))
    return summary


def check_header(path: Path, entries: Mapping[str, Any]) -> None:
    """Raise UnusableFileError if a tensor's entry is malformed, or its bytes are too few or beyond the file's end."""
    size = path.stat().st_size
    for name, entry in entries.items():
        given = entry if isinstance(entry, dict) else {}
        shape, place = whole_numbers(given.get("shape")), whole_numbers(given.get("data_offsets"))
        if shape is None or place is None or len(place) != 2 or not isinstance(given.get("dtype"), str):
            raise UnusableFileError.of(
                path, f"its header has an invalid entry {str(entry)[:100]!r} for tensor `{name[:100]}`"
            )
        start, end = place
        if not start <= end <= size or math.prod(shape) > 8 * (end - start):
            raise UnusableFileError.of(
                path,
                f"tensor `{name[:100]}` of {shape} lies at {start:,} to {end:,} of {size:,} bytes; download it again",
            )


def whole_numbers(value: Any) -> Optional[List[int]]:
    """Return a list of whole numbers from 0 to 2**63 - 1; None for anything else."""
    whole = isinstance(value, list) and all(type(each) is int and 0 <= each < 2**63 for each in value)
    return list(value) if whole else None


def describe_weights(summary: Summary, weights: Mapping[str, Tensor]) -> None:
    """Fill in parameters, precision and layers."""
    floats = {name: value for name, value in weights.items() if value.is_floating_point()}
    summary.parameters = sum(value.numel() for value in floats.values())
    summary.precision = ", ".join(sorted({str(value.dtype).rpartition(".")[2] for value in floats.values()}))
    summary.layers = count_layers(weights)


def describe_configuration(summary: Summary, model: Mapping[str, Any], task: Mapping[str, Any]) -> None:
    """Fill in width, heads, task, labels, normalisation and the start of fine-tuning, from the configuration."""
    inside = next((as_mapping(model[key]) for key in INSIDE if model.get(key) is not None), {})
    encoder = as_mapping(inside.get("model")) or inside or model
    summary.width = first_of(encoder, summary.encoder, WIDTHS)
    summary.heads = first_of(encoder, summary.encoder, HEADS)
    summary.task = str(task.get("_name") or "")
    summary.labels = task["labels"] if isinstance(task.get("labels"), str) else None
    if summary.modality == "speech" or "normalize" in task:
        values = [section.get("normalize") for section in (task, model, as_mapping(inside.get("task")), inside)]
        summary.normalize = next((value for value in values if isinstance(value, bool)), None)
    start = model.get("w2v_path") or model.get("model_path")
    summary.fine_tuned_from = str(start) if start and summary.kind == "fine-tuned" else None


def first_of(section: Mapping[str, Any], model: str, keys: Tuple[str, ...]) -> Optional[int]:
    """Return the whole number under the first of ``keys`` that the configuration has, or else the model's defaults."""
    made = MODEL_DATACLASS_REGISTRY.get(model)
    for source in (section, made() if made else {}):
        for key in keys:
            value: Any = source
            for part in key.split("."):
                value = as_mapping(value).get(part)
            if number({key: value}, key) is not None:
                return int(value)
    return None


def describe_run(summary: Summary, state: Mapping[str, Any]) -> None:
    """Fill in what the trainer recorded: updates, epoch, optimizer."""
    history = last_entry(state)
    summary.updates = number(history, "num_updates")
    summary.epoch = number(as_mapping(as_mapping(state.get("extra_state")).get("train_iterator")), "epoch")
    if state.get("last_optimizer_state") is not None:
        summary.optimizer = str(history.get("optimizer_name", "unnamed"))
    if state.get("cfg"):
        summary.written_by = "fairseq's trainer"
    elif state.get("args") is not None:
        summary.written_by = "fairseq's trainer before 0.10.2 (`args`)"


def describe_teacher(summary: Summary, weights: Mapping[str, Any]) -> None:
    """Fill in whether there is a teacher, and how many updates it has followed."""
    entry = next((weights[name] for name in TEACHERS if isinstance(weights.get(name), Mapping)), None)
    if entry is None:
        return
    summary.teacher = True
    layout, followed = (scalar(entry.get(key)) for key in (FORMAT_KEY, UPDATES_KEY))
    if layout is not None:
        summary.written_by += f" with this package, layout {layout}"
        summary.teacher_updates = followed
    elif summary.updates:
        summary.teacher_updates = summary.updates - 1  # its last step is still due


def scalar(value: Any) -> Optional[int]:
    """Return a whole number that was saved as such, or as a tensor with one element; None for anything else."""
    if isinstance(value, Tensor):
        return int(value) if value.numel() == 1 and bool(torch.isfinite(value).all()) else None
    return number({"": value}, "")


def symbols(summary: Summary, state: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Optional[int]:
    """Return the size of the dictionary, or of an embedding or output; fills in ``post_process`` for speech."""
    for name, value in as_mapping(state.get("task_state")).items():
        if "dictionary" in name and hasattr(value, "__len__"):
            summary.post_process = joined_by(getattr(value, "symbols", ())) if summary.modality == "speech" else None
            return len(value)
    rows = [value.size(0) for name, value in weights.items() if value.dim() and is_table(name)]
    return rows[0] if rows else None


def joined_by(symbols: Any) -> Optional[str]:
    """Return `--post-process` for a dictionary's symbols; None if they are words or phonemes."""
    known = [symbol for symbol in symbols if isinstance(symbol, str)]
    if "|" in known:
        return "letter"
    return "sentencepiece" if any(symbol.startswith("\u2581") for symbol in known) else None


def is_table(name: str) -> bool:
    """Whether a weight has a row for each symbol or class."""
    return name.endswith("embed_tokens.weight") or name in OUTPUTS


def missing_paths(section: Any, where: str = "") -> Iterator[str]:
    """`key=path` for each absolute path in a configuration that is not on this machine."""
    for key, value in as_mapping(section).items():
        here = f"{where}.{key}" if where else key
        if isinstance(value, str) and value.startswith(("/", "~/")) and not os.path.exists(os.path.expanduser(value)):
            yield f"{here}={value}"
        elif hasattr(value, "keys") or hasattr(value, "__dict__"):
            yield from missing_paths(value, here)
