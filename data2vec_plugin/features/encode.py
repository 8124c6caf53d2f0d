"""A batch through a frozen encoder: the blocks that were asked for, padding cut off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.model import Data2Vec

LAST = "last"
NONE, MEAN, CLASS_TOKEN = "none", "mean", "class_token"
Layers = Tuple[Optional[int], ...]
Features = NDArray[np.floating]


def parse_layers(text: str, count: int) -> Layers:
    """``"3,6,last"`` -> (3, 6, None) for an encoder of ``count`` blocks; raises ValueError for a block it lacks."""
    layers: List[Optional[int]] = []
    for word in text.split(","):
        word = word.strip()
        if word != LAST and not (word.isdigit() and int(word) < count):
            raise ValueError(
                f"`--layer` is {text!r}; expected numbers from 0 to {count - 1}, commas between them, or {LAST!r}: "
                f"the encoder's output, after its final norm if it has one"
            )
        layers.append(None if word == LAST else int(word))
    return tuple(layers)


@dataclass(frozen=True)
class Wanted:
    """What an item's features are: of which blocks, of the teacher or the student, how pooled, as halves or not."""

    layers: Layers = (None,)
    teacher: bool = False
    pool: str = NONE
    half: bool = False


def check_pool(pool: str, model: Data2Vec, name: str) -> None:
    """Raise ValueError if the model ``name`` has no class token, and its output is asked for."""
    if pool == CLASS_TOKEN and model.extra_tokens is None:
        raise ValueError(f"`--pool` is {pool}, but model `{name}` has no class token; expected {NONE} or {MEAN}")


@torch.inference_mode()
def encode(model: Data2Vec, source: Tensor, padding_mask: Optional[Tensor], wanted: Wanted) -> List[Tensor]:
    """A padded batch -> for each layer that is wanted its output (B, T, C); of the class token alone (B, 1, C)."""
    tokens = model.embed(source, padding_mask)
    highest = None if None in wanted.layers else max(layer for layer in wanted.layers if layer is not None)
    record = () if wanted.layers == (None,) else ("block",)
    options: Dict[str, Any] = {"record": record, "last": highest, "with_extra": wanted.pool == CLASS_TOKEN}
    if wanted.teacher:
        teacher = model.ensure_teacher()
        teacher.match(model.teacher_source())  # it is no submodule, and does not move with the model
        tokens = model.teacher_tokens(teacher.module, source, padding_mask, tokens)
        # a teacher of the encoder alone reads the student's extra tokens, as it does its embedding
        copied = teacher.module if isinstance(teacher.module, Data2Vec) else None
        encoder = teacher.module if copied is None else copied.encoder
        encoded = (copied or model).encode(tokens, encoder, **options)
    else:
        encoded = model.encode(tokens, **options)
    blocks = encoded.signal("block") if record else []
    outputs = [encoded.x if layer is None else blocks[layer] for layer in wanted.layers]
    return [output[:, :1] for output in outputs] if wanted.pool == CLASS_TOKEN else outputs


def item_features(outputs: Sequence[Tensor], row: int, span: slice, wanted: Wanted) -> Features:
    """The features of a row's ``span``: (T, C), pooled (C,); several layers are the first axis. fp32, or halves."""
    stacked = torch.stack([output[row, span] for output in outputs]).float()
    if wanted.pool != NONE:
        stacked = stacked.mean(1)  # a class token is alone
    if len(wanted.layers) == 1:
        stacked = stacked.squeeze(0)
    array: Features = (stacked.half() if wanted.half else stacked).cpu().numpy()
    return array
