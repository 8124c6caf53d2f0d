"""Update rules per parameter: layer-wise learning rates, and exceptions from weight decay.

Fine-tuning changes low layers less than high ones (layer-wise learning-rate decay, from BEiT, whose settings section
4.1 of the paper uses), and weight decay applies to matrices only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Collection, Dict, Iterable, Tuple

from torch import Tensor

from .config import SettingError

EMBEDDINGS = 0
BLOCK = re.compile(r"(?:^|\.)layers\.(\d+)\.")


@dataclass(frozen=True)
class UpdateRule:
    """``lr_scale`` times the learning rate, with or without weight decay."""

    lr_scale: float = 1.0
    decays: bool = True


ORDINARY = UpdateRule()

Named = Iterable[Tuple[str, Tensor]]


def update_rules(
    parameters: Named, layers: int, layer_decay: float, low: Collection[str], never_decayed: Collection[str]
) -> Dict[str, UpdateRule]:
    """A rule for every named parameter of an encoder of ``layers`` blocks and the layers above it.

    ``low`` are the name prefixes of the layers below the first block. Raises SettingError unless 0 < ``layer_decay`` <=
    1.

    >>> weight = Tensor(2, 2)
    >>> rules = update_rules([("encoder.layers.1.fc1.weight", weight), ("head.bias", weight[0])], 2, 0.5, (), ())
    >>> rules["encoder.layers.1.fc1.weight"], rules["head.bias"]
    (UpdateRule(lr_scale=0.5, decays=True), UpdateRule(lr_scale=1.0, decays=False))
    """
    check_layer_decay(layer_decay)
    return {
        name: UpdateRule(lr_scale(layer_of(name, layers, low), layers, layer_decay), decays(name, value, never_decayed))
        for name, value in parameters
    }


def layer_of(name: str, layers: int, low: Collection[str]) -> int:
    """0 for embeddings, i + 1 for the i-th block (0-based), ``layers`` + 1 for all others."""
    block = BLOCK.search(name)
    if block is not None:
        return int(block.group(1)) + 1
    return EMBEDDINGS if name.startswith(tuple(low)) else layers + 1


def lr_scale(layer: int, layers: int, layer_decay: float) -> float:
    """``layer_decay`` to the power of the distance from the top: 1 above the last block."""
    return float(layer_decay ** (layers + 1 - layer))


def decays(name: str, parameter: Tensor, never: Collection[str]) -> bool:
    """Whether weight decay applies: to matrices and filters, but none whose own name is in ``never``."""
    own = name.rsplit(".", 1)[-1]
    return parameter.dim() > 1 and own != "bias" and own not in never


def check_layer_decay(layer_decay: float) -> None:
    """Raise SettingError for a factor that would freeze the low layers, or make them learn fastest."""
    if not 0 < layer_decay <= 1:
        raise SettingError("layer_decay", layer_decay, "more than 0 and at most 1 (1 is off, 0.65 is usual for ViT-B)")
