"""How far each parameter of an image model moves in an update."""

from typing import Dict, Iterable, Tuple

from torch import Tensor

from ..core.update_rules import UpdateRule, update_rules

BELOW_THE_BLOCKS = ("patch_embed.", "extra_tokens")
NEVER_DECAYED = ("extra_tokens", "mask_emb", "table")
"""Learned tokens and tables of relative positions, which are no matrices that anything is multiplied with."""


def image_update_rules(
    parameters: Iterable[Tuple[str, Tensor]], layers: int, layer_decay: float = 1.0, prefix: str = ""
) -> Dict[str, UpdateRule]:
    """The rule of every parameter; the encoder's names begin with ``prefix``. See :func:`update_rules`."""
    low = [prefix + name for name in BELOW_THE_BLOCKS]
    return update_rules(parameters, layers, layer_decay, low, NEVER_DECAYED)
