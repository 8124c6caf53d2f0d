"""Small recognisers of every kind that is read, and clips for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import torch
from convert.made import convert, letters
from convert.made import recogniser as first_method
from models.tiny_text import trainer_state
from numpy.typing import NDArray
from safetensors.torch import load_file

PARITY = Path(__file__).resolve().parents[1] / "fixtures" / "parity"
SIZES = (900, 2500, 65, 1700, 900)


def clips(sizes: tuple[int, ...] = SIZES) -> List[NDArray[np.float32]]:
    """Noise of several lengths, each of its own loudness and offset."""
    rng = np.random.default_rng(7)
    return [rng.normal(0.01, 0.02 * (1 + place), size).astype("float32") for place, size in enumerate(sizes)]


def second_method(path: Path) -> None:
    """A recogniser by data2vec 2.0: the recorded one, with its dictionary inside."""
    case = PARITY / "v2_ctc"
    config = json.loads((case / "config.json").read_text("utf-8"))
    model = {**config["model"], "w2v_args": config["w2v_args"]}
    state = trainer_state({"model": model, "task": config["task"]}, dict(load_file(case / "state.safetensors")))
    torch.save(state, path)
    path.with_name("dict.ltr.txt").write_text((case / "dict.ltr.txt").read_text("utf-8"), "utf-8")


def of_hugging_face(path: Path) -> None:
    """A folder that `data2vec convert` made."""
    first_method(path.with_name("converted.pt"))
    convert(path.with_name("converted.pt"), path)


MADE = {"first.pt": first_method, "second.pt": second_method, "folder": of_hugging_face}
"""What makes a recogniser at a path of this name."""


def changed(path: Path, **keys: Any) -> Path:
    """A checkpoint whose model's section has other ``keys``, beside it."""
    state: Dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    state["cfg"]["model"].update(keys)
    other = path.with_name(f"changed_{path.name}")
    torch.save(state, other)
    return other


__all__ = ["MADE", "PARITY", "changed", "clips", "first_method", "letters", "of_hugging_face", "second_method"]
