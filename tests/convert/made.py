"""Checkpoints and folders to convert, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import torch
from fairseq.data import Dictionary
from features.made import speech_section
from models.tiny import drift, tiny_model
from models.tiny_text import trainer_state
from torch import Tensor

from data2vec_plugin.checkpoints.encoder_checkpoint import build_encoder, open_checkpoint
from data2vec_plugin.cli.main import main

LETTERS = "|ETAON"


def convert(source: Path, out: Path, *options: str) -> Path:
    """Convert a checkpoint into a folder, or a folder into a checkpoint; returns ``out``."""
    assert (
        main(["convert", str(source), "--to", "fairseq" if source.is_dir() else "hf", "--out", str(out), *options]) == 0
    )
    return out


def refused(source: Path, out: Path, *options: str) -> int:
    """The exit code of the same."""
    return main(["convert", str(source), "--to", "fairseq" if source.is_dir() else "hf", "--out", str(out), *options])


def letters() -> Dictionary:
    """The dictionary of a speech recogniser."""
    dictionary = Dictionary()
    for letter in LETTERS:
        dictionary.add_symbol(letter)
    return dictionary


def recogniser(path: Path, **task: Any) -> None:
    """A model fine-tuned with CTC, as fairseq's trainer writes it, its dictionary inside."""
    model = tiny_model()
    drift(model, 3)
    pretraining = {
        "model": speech_section(model),
        "task": {"_name": "audio_pretraining", "data": "gone", "normalize": True},
    }
    model.remove_pretraining_modules()
    weights = {f"w2v_encoder.w2v_model.{name}": value for name, value in model.state_dict().items()}
    head = torch.Generator().manual_seed(5)
    weights["w2v_encoder.proj.weight"] = torch.randn(len(letters()), 16, generator=head)
    weights["w2v_encoder.proj.bias"] = torch.randn(len(letters()), generator=head)
    cfg = {"model": {"_name": "wav2vec_ctc", "w2v_path": "gone", "w2v_args": pretraining, "apply_mask": True}}
    cfg["task"] = {"_name": "audio_finetuning", "data": "gone", "normalize": True, "labels": "ltr", **task}
    torch.save({**trainer_state(cfg, weights), "task_state": {"target_dictionary": letters()}}, path)


def saved(path: Path) -> Dict[str, Tensor]:
    """The weights of a checkpoint, without its teacher."""
    model: Dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)["model"]
    return {name: value for name, value in model.items() if isinstance(value, Tensor)}


def encoder(path: Path, **settings: Any) -> Any:
    """The encoder of a checkpoint in evaluation mode, with ``settings`` in place of its own."""
    checkpoint = open_checkpoint(path)
    checkpoint.root["model"].update(settings)
    return build_encoder(checkpoint, teacher=False)
