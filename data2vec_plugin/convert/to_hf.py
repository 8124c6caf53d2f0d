"""A fairseq checkpoint -> a Hugging Face folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import List, Sequence

from ..checkpoints.encoder_checkpoint import Checkpoint, configuration_errors, open_checkpoint, plain
from ..checkpoints.mapped import tensors_in_file
from ..interop.fairseq.text_v1 import vocabulary_size
from ..interop.identify import MULTI
from ..interop.layers import check_layers
from .folder import CARD, CONFIG, MADE_BY, SAFETENSORS, need_safetensors, new_folder, write_json, write_weights
from .modality import Given, Weights, check_given, modality
from .weights import encoder_weights, outline


def to_hf(source: Path, out: Path, teacher: bool, given: Given) -> List[str]:
    """Convert; returns lines to print. Raises ValueError for a checkpoint that cannot be converted."""
    need_safetensors()
    if source.is_dir():
        raise ValueError(f"{source} is a folder; `--to hf` reads a checkpoint, the .pt file of a training")
    with tensors_in_file():
        checkpoint = open_checkpoint(source)
    if checkpoint.name == MULTI:
        raise ValueError(
            f"{source} is a `{MULTI}` (data2vec 2.0), which Hugging Face has no model for; `--to fairseq` converts it "
            f"to upstream's layout"
        )
    check_given(given, checkpoint.modality)
    part = modality(checkpoint.modality)
    kind = part.kind(checkpoint)
    check_layers(f"checkpoint {source}", checkpoint.root["model"], checkpoint.weights)
    with configuration_errors(source):
        model = outline(checkpoint.root, vocabulary_size(checkpoint.weights))  # its configuration is complete
    config = part.NAMES.config_to_hf(plain(model.cfg), kind)
    state = {**encoder_weights(checkpoint, part.LAYOUT, model, teacher), **part.head(checkpoint, given)}
    weights = part.NAMES.weights_to_hf(state, kind)
    architecture = part.NAMES.ARCHITECTURES[kind]
    with new_folder(out) as folder:
        beside = part.write_extras(folder, checkpoint, kind, given)
        for name, text in beside.files.items():
            (folder / name).write_text(text, "utf-8")
        for name, path in beside.copies.items():
            shutil.copyfile(path, folder / name)
        about = {"model_type": part.NAMES.MODEL_TYPE, "architectures": [architecture], MADE_BY: "data2vec convert"}
        write_json(folder / CONFIG, {**about, "torch_dtype": "float32", **config, **beside.keys})
        write_weights(folder / SAFETENSORS, weights)
        shutil.copymode(
            folder / CONFIG, folder / SAFETENSORS
        )  # safetensors makes its files readable only for the owner
        lines = [described(checkpoint, weights, teacher), *beside.notes]
        command = f"data2vec convert {source.name} --to hf --out {out.name}{' --teacher' if teacher else ''}"
        card = model_card(out.name, architecture, part.NAMES.MODEL_TYPE, command, lines)
        (folder / CARD).write_text(card, "utf-8")
    return [
        f"{source}: {lines[0]}",
        *lines[1:],
        f"wrote {out}; in Python: transformers.{architecture}.from_pretrained({str(out)!r})",
    ]


def described(checkpoint: Checkpoint, weights: Weights, teacher: bool) -> str:
    """A description of what was converted."""
    size = sum(value.numel() for value in weights.values())
    wrapper = f" inside {checkpoint.model['_name']}" if checkpoint.fine_tuned else ""
    of = ", the teacher" if teacher else ""
    return f"{checkpoint.name}{wrapper}{of}, {size:,} weights, {checkpoint.num_updates:,} updates"


def model_card(name: str, architecture: str, model_type: str, command: str, facts: Sequence[str]) -> str:
    """README.md of the folder called ``name``: facts from the checkpoint, one per line, and no claims."""
    return "\n".join(
        [
            "---",
            "library_name: transformers",
            f"tags: [{model_type}]",
            "---",
            f"# {name}",
            "",
            f"Made from a fairseq checkpoint: `{command}`",
            "",
            *(f"- {fact}" for fact in facts),
            "",
            "```python",
            f"from transformers import {architecture}",
            "",
            f'model = {architecture}.from_pretrained("{name}")',
            "```",
            "",
            "The checkpoint does not contain information about training data, results or licence.",
            "",
        ]
    )
