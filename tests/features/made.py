"""Checkpoints of small models as fairseq's trainer writes them, and `data2vec features` on them."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import numpy as np
import torch
from fairseq.models import build_model
from glue_files import write_dictionary
from models.tiny import drift, tiny_model
from models.tiny_text import WORDS, dictionary, section, tiny_text, trainer_state
from omegaconf import OmegaConf
from parity.cases import HERE, nested
from safetensors.torch import load_file
from speech import write_clip

from data2vec_plugin.cli.main import main

SIZES = (900, 510, 1400, 65, 700, 2000)
TEXTS = ("w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10", "w11 w12", "w3 w2")


def speech_checkpoint(path: Path, normalize: bool = True, task: Dict[str, Any] | None = None, **settings: Any) -> Any:
    """A speech model that has drifted from its teacher; returns it in evaluation mode."""
    model = tiny_model(**settings)
    follow(model)
    cfg = {"model": speech_section(model), "task": {"_name": "audio_pretraining", "data": "gone", **(task or {})}}
    cfg["task"].setdefault("normalize", normalize)
    cfg.update(criterion=None, lr_scheduler=None)  # sections that fairseq replaces
    torch.save(trainer_state(cfg, model.state_dict()), path)
    return model.eval()


def speech_section(model: Any) -> Dict[str, Any]:
    """The model's keys, but those that follow another section."""
    keys = {name: value for name, value in asdict(model.cfg).items() if "${" not in str(value)}
    return {**keys, "_name": "data2vec_audio"}


def ctc_checkpoint(path: Path, **wrapper: Any) -> Any:
    """The same, fine-tuned, in the layout of fairseq's `wav2vec_ctc`; returns the encoder."""
    model = tiny_model()
    drift(model, 3)
    pretraining = {"model": speech_section(model), "task": {"_name": "audio_pretraining", "normalize": True}}
    model.remove_pretraining_modules()
    weights = {f"w2v_encoder.w2v_model.{name}": value for name, value in model.state_dict().items()}
    weights["w2v_encoder.proj.weight"] = torch.zeros(5, 16)
    cfg = {"model": {"_name": "wav2vec_ctc", "w2v_path": "gone", "w2v_args": pretraining, **wrapper}}
    cfg["task"] = {"_name": "audio_finetuning", "data": "gone", "normalize": True}
    torch.save(trainer_state(cfg, weights), path)
    return model.eval()


def several_checkpoint(path: Path) -> Path:
    """One of data2vec 2.0 for three modalities, its dictionary beside it."""
    case = HERE / "v2_multi"
    section = json.loads((case / "config.json").read_text("utf-8"))["model"]
    cfg = {"model": {**section, "_name": "data2vec_multi"}}
    cfg["task"] = {
        "_name": "multimodal_pretraining",
        "audio": {"normalize": True, "data": "gone"},
        "text": {"data": "gone"},
    }
    torch.save(trainer_state(cfg, nested(load_file(case / "state.safetensors"))), path)
    shutil.copy(case / "dict.txt", path.parent / "dict.txt")
    return path


def text_checkpoint(path: Path, **settings: Any) -> Any:
    """A text model whose dictionary lies beside it; returns it in evaluation mode."""
    model = tiny_text(**settings)
    follow(model)
    cfg = {"model": section(**settings), "task": {"_name": "masked_lm", "data": "gone", "tokens_per_sample": 32}}
    torch.save(trainer_state(cfg, model.state_dict()), path)
    write_dictionary(path.parent / "dict.txt", [f"w{number}" for number in range(WORDS)])
    return model.eval()


def classification_checkpoint(path: Path, pretrained: Path) -> Any:
    """The text model fine-tuned by fairseq's task; returns the encoder."""
    cfg = OmegaConf.create({"_name": "data2vec_text_classification", "model_path": str(pretrained)})
    model = build_model(cfg, SimpleNamespace(source_dictionary=dictionary()))
    model.register_classification_head("head", 3)
    drift(model, 4)
    saved = OmegaConf.to_container(model.cfg)
    state = trainer_state({"model": {**saved, "model_path": "gone"}, "task": {"data": "gone"}}, model.state_dict())
    torch.save(state, path)
    return model.eval().model


def follow(model: Any) -> None:
    """Two updates that an optimiser might have made."""
    for update in range(3):
        model.set_num_updates(update)
        drift(model, update)


def clips(folder: Path, ending: str = "wav") -> Path:
    """Clips of several lengths, in two folders; returns the folder."""
    for number, size in enumerate(SIZES):
        write_clip(folder / f"s{number % 2}" / f"c{number}.{ending}", size, seed=number)
    return folder


def features(checkpoint: Path, listed: Path, out: Path, *options: str) -> int:
    """The command's exit code."""
    return main(["features", str(checkpoint), "--input", str(listed), "--out", str(out), "--device=cpu", *options])


def index(out: Path) -> List[Dict[str, str]]:
    """The rows of a folder's index.tsv."""
    header, *lines = (out / "index.tsv").read_text("utf-8").splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"))) for line in lines]


def read(out: Path) -> Dict[str, np.ndarray]:
    """All features of a folder by item, as its index says."""
    found = {}
    for row in index(out):
        path = out / row["file"]
        if path.suffix == ".safetensors":
            from safetensors.numpy import load_file

            found[row["id"]] = load_file(str(path))[row["key"]]
        else:
            array = np.load(path)
            found[row["id"]] = array[int(row["key"])] if row["key"] else array
    return found


def assert_close(left: Dict[str, np.ndarray], right: Dict[str, np.ndarray]) -> None:
    """The same items and, but for rounding, the same features."""
    assert left.keys() == right.keys()
    for name, array in left.items():
        np.testing.assert_allclose(array, right[name], atol=2e-5, err_msg=name)
