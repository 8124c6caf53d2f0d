"""Compare the number of layers in a configuration with that in the names of weights."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Optional

from .huggingface.keys import value_at

LAYER = re.compile(r"(?:^|\.)(?:layers?|blocks)\.(\d+)\.")
KEYS = {
    "data2vec_audio": "encoder_layers",
    "data2vec_text": "transformer.encoder.layers",
    "data2vec_vision": "depth",
    "data2vec_multi": "depth",
}
"""The key of each model's configuration that says how many layers its encoder has."""
BESIDE = ("decoder.", "conv", "context_encoder.")
"""Parts of names whose numbers do not count the encoder's layers."""


def count_layers(names: Iterable[str]) -> Optional[int]:
    """Return the number of an encoder's layers from the names of its weights; None if they name none.

    >>> count_layers(["encoder.layers.0.fc1.weight", "encoder.layers.11.fc1.weight"])
    12
    """
    found = (LAYER.search(name) for name in names if not any(part in name for part in BESIDE))
    layers = [int(each.group(1)) for each in found if each]
    return max(layers) + 1 if layers else None


def check_layers(whose: str, section: Mapping[str, Any], names: Iterable[str]) -> None:
    """Raise ValueError if a configuration claims more layers than its weights have, before they are built.

    ``section`` is the configuration of a data2vec model, whose other keys are checked by the shapes of its weights.
    """
    key = KEYS[str(section["_name"])]
    try:
        claimed = value_at(section, key)
    except (KeyError, TypeError):  # not set: the default
        return
    counted = count_layers(names) or 0
    if isinstance(claimed, bool) or not isinstance(claimed, int):
        raise ValueError(
            f"{whose}: `{key}` is {claimed!r}; expected a whole number ({counted} according to its weights)"
        )
    if claimed > counted:
        raise ValueError(
            f"{whose} does not fit its own configuration: `{key}` is {claimed:,}, but its weights have {counted:,} "
            "layers; use configuration and weights of the same training run"
        )
