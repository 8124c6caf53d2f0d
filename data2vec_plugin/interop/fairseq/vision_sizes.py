"""Derive a model's configuration from weights that come without one, such as those that BEiT's code saves."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping

from ...core.positions.relative_positions import square_grid

PATCHES = "patch_embed.conv.weight"
TABLE = "rel_pos_bias.table"
BLOCK = re.compile(r"encoder\.layers\.(\d+)\.fc1\.weight")


def vision_sizes(state: Mapping[str, Any]) -> Dict[str, Any]:
    """Keys of ``data2vec_vision``, derived from the shapes of weights with this plugin's names.

    Raises ValueError for weights that are not such a model's, or have no table of relative positions, from which the
    number of heads and the image size are derived.
    """
    layers = {int(found.group(1)) for found in map(BLOCK.fullmatch, state) if found}
    tables = [name for name in state if name.endswith(TABLE)]
    if PATCHES not in state or not layers:
        raise ValueError("its weights are not those of a `data2vec_vision` or BEiT model")
    if not tables:
        raise ValueError(
            "its weights hold no table of relative positions, so the number of heads is unknown; first convert it "
            "into a checkpoint with a configuration"
        )
    dim, channels, patch, _ = state[PATCHES].shape
    rows, heads = state[tables[0]].shape
    return {
        "_name": "data2vec_vision",
        "depth": max(layers) + 1,
        "embed_dim": dim,
        "num_heads": heads,
        "mlp_ratio": state["encoder.layers.0.fc1.weight"].size(0) // dim,
        "in_channels": channels,
        "patch_size": patch,
        "image_size": square_grid(rows)[0] * patch,
        "shared_rel_pos_bias": f"encoder.{TABLE}" in state,
        "layer_scale_init_value": 1e-4 if "encoder.layers.0.gamma_1" in state else 0.0,
        "ema_anneal_end_step": 1,
    }
