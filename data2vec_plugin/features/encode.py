"""Runs a batch through a frozen encoder: outputs of the requested blocks, without padding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .items import Reader

LAST = "last"
NONE, MEAN, CLASS_TOKEN = POOLS = ("none", "mean", "class_token")
Layers = Tuple[Optional[int], ...]
Features = NDArray[np.floating]


def parse_layers(text: str, count: int, option: str = "--layer") -> Layers:
    """``"3,6,last"`` -> (3, 6, None) for an encoder of ``count`` blocks.

    Raises ValueError, which names the ``option``, for a block that the encoder lacks.
    """
    layers: List[Optional[int]] = []
    for word in text.split(","):
        word = word.strip()
        if word != LAST and not (word.isdigit() and int(word) < count):
            raise ValueError(
                f"`{option}` is {text!r}; expected comma-separated numbers from 0 to {count - 1}, or {LAST!r}: "
                f"the encoder's output, after its final norm if it has one"
            )
        layers.append(None if word == LAST else int(word))
    return tuple(layers)


@dataclass(frozen=True)
class Wanted:
    """The requested features: which blocks, of the teacher or the student, how pooled, in fp16 or not."""

    layers: Layers = (None,)
    teacher: bool = False
    pool: str = NONE
    half: bool = False


def check_pool(pool: str, model: Any, name: str, option: str = "--pool") -> None:
    """Raise ValueError for an unknown ``option``, or for the class token if the model ``name`` has none."""
    if pool not in POOLS:
        raise ValueError(f"`{option}` is {pool!r}; expected {', '.join(POOLS)}")
    if pool == CLASS_TOKEN and model.encoder.extra_tokens is None:
        raise ValueError(f"`{option}` is {pool}, but model `{name}` has no class token; expected {NONE} or {MEAN}")


@torch.inference_mode()
def encode(model: Any, source: Tensor, padding_mask: Optional[Tensor], wanted: Wanted) -> List[Tensor]:
    """A padded batch -> the output of each requested layer, (B, T, C); for the class token only, (B, 1, C)."""
    device = model_device(model)
    source, padding_mask = source.to(device), None if padding_mask is None else padding_mask.to(device)
    tokens = model.encoder.embed(source, padding_mask)
    highest = None if None in wanted.layers else max(layer for layer in wanted.layers if layer is not None)
    record = () if wanted.layers == (None,) else ("block",)
    options: Dict[str, Any] = {"record": record, "last": highest, "with_extra": wanted.pool == CLASS_TOKEN}
    if wanted.teacher:
        teacher = model.taught.teacher
        teacher.match(model.method)  # it is not a submodule, so it does not move with the model
        encoded = teacher.encode(model.encoder, source, padding_mask, tokens, **options)
    else:
        encoded = model.encoder.encode(tokens, **options)
    blocks = encoded.signal("block") if record else []
    outputs = [encoded.x if layer is None else blocks[layer] for layer in wanted.layers]
    return [output[:, :1] for output in outputs] if wanted.pool == CLASS_TOKEN else outputs


def taken_apart(
    reader: Reader, rows: Sequence[Tensor], outputs: Sequence[Tensor], wanted: Wanted
) -> List[Tuple[Tensor, int]]:
    """A batch's outputs -> the features of each input, on the model's device, and its number of frames."""
    width = outputs[0].size(1)
    spans = [reader.span(row, width) for row in rows]
    return [(item_features(outputs, row, span, wanted), len(range(width)[span])) for row, span in enumerate(spans)]


def item_features(outputs: Sequence[Tensor], row: int, span: slice, wanted: Wanted) -> Tensor:
    """The features of a row's ``span``: (T, C), pooled (C,); several layers are the first axis. fp32, or fp16."""
    stacked = torch.stack([output[row, span] for output in outputs]).float()
    if wanted.pool != NONE:
        stacked = stacked.mean(1)  # a class token is the only one
    if len(wanted.layers) == 1:
        stacked = stacked.squeeze(0)
    return stacked.half() if wanted.half else stacked


def model_device(model: Any) -> torch.device:
    """The device of a model."""
    return next(model.parameters()).device


def chosen_device(name: Optional[str], option: str = "--device") -> torch.device:
    """The device, by default a GPU if there is one; raises ValueError, which names the ``option``, if it is missing."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    kind, _, number = (name or ("cuda" if count else "cpu")).partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise ValueError(f"`{option}` is {name}; expected cpu, cuda or cuda:N")
    if kind == "cpu":
        return torch.device(kind)
    if int(number or 0) >= count:
        found = f"{count} GPUs" if count else "no GPU (run `data2vec doctor` to see why)"
        raise ValueError(f"`{option}` is {name}, but torch finds {found}; use cpu")
    torch.backends.cudnn.allow_tf32 = False  # so that fp32 results equal those on a CPU
    return torch.device(kind, int(number or 0))
