"""Upstream's recorded checkpoints, changed as other people's may be."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any, Callable, Dict

import torch
from parity.cases import HERE

CASES = ("official_style_audio", "official_style_audio_ctc", "official_style_text", "official_style_vision")
PRETRAINED = tuple(case for case in CASES if not case.endswith("ctc"))


def changed(case: str, folder: Path, change: Callable[[Dict[str, Any]], None]) -> Path:
    """A copy of a recorded checkpoint with ``change`` made to what is in it."""
    state = torch.load(HERE / case / "checkpoint.pt", map_location="cpu", weights_only=False)
    change(state)
    torch.save(state, folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def task_data(case: str) -> Dict[str, str]:
    """What fairseq must be told: where the dictionary of a text model is."""
    return {"data": str(HERE / case)} if case == "official_style_text" else {}


def to_arguments(state: Dict[str, Any]) -> None:
    """The configuration as flat arguments, as fairseq kept it before 0.10.2."""
    state["args"], state["cfg"] = arguments(state["cfg"]), None


def arguments(cfg: Dict[str, Any]) -> Namespace:
    flat: Dict[str, Any] = {}
    order = ("model", "task", *(name for name in cfg if name not in ("model", "task")))
    for section in (cfg[name] for name in order if isinstance(cfg[name], dict)):
        for key, value in section.items():
            if value is not None and key not in ("_name", "eval_wer_config"):  # once a string
                flat.setdefault(key, value)
    names = {name: cfg[name]["_name"] for name in ("task", "criterion", "optimizer", "lr_scheduler") if cfg[name]}
    if "w2v_args" in flat:
        flat["w2v_args"] = arguments(flat["w2v_args"])
    return Namespace(**{**flat, **names, "arch": cfg["model"]["_name"]})
