"""Recorded cases: where they are, how a model is built from one, how numbers are held against them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping

import torch
from safetensors.torch import load_file
from torch import Tensor

from data2vec_plugin.models.audio_config import Data2VecAudioConfig
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel

HERE = Path(__file__).resolve().parents[1] / "fixtures" / "parity"
FORWARD, GRADIENT, TEACHER = 1e-5, 1e-4, 1e-6
Tensors = Dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """One folder of recorded tensors."""

    folder: Path

    def __str__(self) -> str:
        return self.folder.name

    def json(self, name: str) -> Dict[str, Any]:
        """``config`` or ``meta``."""
        content: Dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text("utf-8"))
        return content

    def tensors(self, name: str) -> Tensors:
        """``inputs``, ``expected`` or ``state``."""
        return load_file(self.folder / f"{name}.safetensors")

    @property
    def kind(self) -> str:
        """``official``, ``ctc``, ``ema`` or ``pretraining``, told by what the folder holds."""
        if list(self.folder.glob("checkpoint*.pt")):
            return "official"
        if self.json("config")["model"].get("_name") == "wav2vec_ctc":
            return "ctc"
        return "pretraining" if (self.folder / "state.safetensors").exists() else "ema"

    def variants(self) -> Dict[str, Dict[str, Any]]:
        """Overrides of the model's keys by name; one empty set where the case has none."""
        return self.json("config").get("variants", {"": {}})


def folders(pattern: str) -> List[Case]:
    """Cases whose names match, from the repository and from ``DATA2VEC_PARITY``, which wins where both have one."""
    extra = os.environ.get("DATA2VEC_PARITY")
    roots = [HERE, *([Path(extra)] if extra else [])]
    found = {path.name: Case(path) for root in roots for path in root.glob(pattern) if (path / "config.json").exists()}
    return [found[name] for name in sorted(found)]


def cases(pattern: str, kind: str) -> List[Case]:
    """Cases of a kind."""
    return [case for case in folders(pattern) if case.kind == kind]


def below(prefix: str, tensors: Mapping[str, Tensor]) -> Tensors:
    """The entries under ``prefix``, without it."""
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def nested(flat: Mapping[str, Tensor]) -> Dict[str, Any]:
    """A state dict with its teacher as a dict of its own, as checkpoints hold it."""
    state: Dict[str, Any] = {key: value for key, value in flat.items() if not key.startswith("_ema.")}
    teacher = below("_ema.", flat)
    return {**state, "_ema": teacher} if teacher else state


def audio_config(section: Mapping[str, Any], **overrides: Any) -> Data2VecAudioConfig:
    """The dataclass with a recorded ``model`` section; a key of upstream's that it lacks is an error."""
    cfg = Data2VecAudioConfig()
    for key, value in {**section, **overrides}.items():
        if not hasattr(cfg, key):
            raise KeyError(f"`{key}` is a key of the reference, and data2vec_audio does not know it")
        setattr(cfg, key, value)
    return cfg


def audio_model(section: Mapping[str, Any], state: Mapping[str, Tensor], **overrides: Any) -> Data2VecAudioModel:
    """A model in training mode with recorded weights, student and teacher."""
    model = Data2VecAudioModel(audio_config(section, **overrides))
    model.train()
    model.set_num_updates(0)
    if state:
        model.load_state_dict(nested(state), strict=True)
    return model


def error(ours: Tensor, recorded: Tensor) -> float:
    """Largest difference, relative to the largest recorded magnitude."""
    if ours.shape != recorded.shape:
        return float("inf")
    if recorded.numel() == 0:
        return 0.0
    # 0 · inf is NaN: what is infinite must be so on both sides
    ours, recorded = ours.detach().double(), recorded.detach().double()
    if not torch.equal(ours.isinf(), recorded.isinf()):
        return float("inf")
    finite = recorded.isfinite()
    difference = (ours - recorded)[finite].abs().max()
    return float(difference / recorded[finite].abs().max().clamp_min(1e-30))


def differences(ours: Mapping[str, Tensor], recorded: Mapping[str, Tensor], limit: float) -> Iterator[str]:
    """What differs by more than ``limit``, in the order of ``ours``, which is the order of computation."""
    for key, value in ours.items():
        if key in recorded:
            wrong = error(value, recorded[key])
            if not wrong <= limit:
                yield f"{key}: {wrong:.1e} > {limit:.0e}"


def gradient_differences(ours: Mapping[str, Tensor], recorded: Mapping[str, Tensor]) -> Iterator[str]:
    """The same for gradients; those that are 0 but for rounding are compared with the largest one."""
    largest = max((float(value.abs().max()) for value in recorded.values()), default=0.0)
    for key, value in recorded.items():
        if key not in ours:
            yield f"{key}: no gradient"
            continue
        magnitude = float(value.abs().max())
        rounding = key.endswith("k_proj.bias") or magnitude < 1e-4 * largest
        limit = 1e-6 * largest if rounding else GRADIENT * magnitude
        wrong = float((ours[key] - value).abs().max())
        if not wrong <= limit:
            yield f"{key}: {wrong:.1e} > {limit:.1e}"
