"""Released MTAG checkpoints: names of their weights, and the sizes derived from them."""

from __future__ import annotations

import re
from typing import Any, Dict, Mapping, MutableMapping, Tuple

LAYER = re.compile(r"^dgnn\.gats\.(\d+)\.(lin_l|att_l|att_r|bias)(?:\.0)?$")
TIED = re.compile(r"^dgnn\.gats\.\d+\.lin_r$")
POSITIONS = re.compile(r"^dgnn\.\w+_pe\.pe$")
ENCODER = re.compile(r"^dgnn\.((?:vision|text|audio)_fc|vision_conv)\.")
HEAD = re.compile(r"^finalW\.")
OURS = {"lin_l": "lin", "att_l": "att_l", "att_r": "att_r", "bias": "bias"}
RELATIONS = {27: (True, True), 9: (False, True), 3: (True, False), 1: (False, False)}
"""Whether relations depend on time and on modality, from their number."""


def is_released(weights: Mapping[str, Any], prefix: str = "") -> bool:
    """Whether weights have the release's names."""
    return any(name.startswith(f"{prefix}dgnn.gats.") for name in weights)


def from_release(weights: MutableMapping[str, Any], prefix: str = "") -> None:
    """Rename the weights of a released checkpoint to ours, in place; any other weights are unchanged.

    The second copy of the matrix that source and target share is dropped, and so are tables of positions, which are
    computed. Raises ValueError for an unknown name.
    """
    if not is_released(weights, prefix):
        return
    for name in [name for name in weights if name.startswith(prefix)]:
        found = renamed(name[len(prefix) :])
        value = weights.pop(name)
        if found:
            weights[prefix + found] = value[0] if found.endswith(("att_l", "att_r")) and value.dim() == 4 else value


def renamed(name: str) -> str:
    """Return our name of a weight, or an empty one if it is dropped; raises ValueError for an unknown name."""
    layer = LAYER.match(name)
    if layer:  # between two layers is a pruning step, without weights
        return f"layers.{int(layer[1]) // 2}.{OURS[layer[2]]}"
    if TIED.match(name) or POSITIONS.match(name):
        return ""
    if ENCODER.match(name):
        return name[len("dgnn.") :]
    if HEAD.match(name):
        return f"head.{name[len('finalW.') :]}"
    raise ValueError(
        f"the weights hold `{name}`, which no MTAG model has; expected the weights of a released checkpoint"
    )


def sizes_of(weights: Mapping[str, Any]) -> Dict[str, Any]:
    """Keys of the model `mtag` derived from weights with this plugin's names."""
    relations, heads, _ = weights["layers.0.att_l"].shape
    time_aware, type_aware = RELATIONS[relations]
    first: Dict[str, Tuple[int, ...]] = {
        name: tuple(weights[f"{name}_fc.0.weight"].shape)
        for name in ("vision", "text", "audio")
        if f"{name}_fc.0.weight" in weights
    }
    dims = {f"{name}_dim": shape[1] for name, shape in first.items()}
    if "vision_conv.0.weight" in weights:
        dims["vision_dim"] = weights["vision_conv.0.weight"].shape[1]
    return {
        **dims,
        "modalities": ",".join(first),
        "dim": weights["layers.0.bias"].shape[0],
        "heads": heads,
        "layers": sum(name.endswith(".att_l") for name in weights),
        "outputs": weights["head.4.bias"].shape[0],
        "time_aware_edges": time_aware,
        "type_aware_edges": type_aware,
        "use_ffn": any(name.endswith("_fc.2.weight") for name in weights),
        "use_conv1d": "vision_conv.0.weight" in weights,
    }
