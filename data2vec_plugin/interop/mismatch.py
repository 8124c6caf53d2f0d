"""Explains in a sentence why a checkpoint does not fit a model."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

from torch import nn

Shapes = Dict[str, Tuple[int, ...]]

LABEL_WEIGHTS = ("w2v_encoder.proj.weight", "w2v_encoder.proj.bias")


def shapes(state: Mapping[str, Any]) -> Shapes:
    """The shape of every tensor of a state dict; nested entries such as the teacher's are left out."""
    return {name: tuple(value.shape) for name, value in state.items() if hasattr(value, "shape")}


def own_shapes(model: nn.Module) -> Shapes:
    """The shape of every weight by its name in memory, which is also its name in an upgraded state dict."""
    found: Shapes = {}
    for prefix, module in model.named_modules():
        kept = {k: v for k, v in module._buffers.items() if k not in module._non_persistent_buffers_set}
        for name, value in {**module._parameters, **kept}.items():
            if value is not None:
                found[f"{prefix}.{name}" if prefix else name] = tuple(value.shape)
    return found


def explain(saved: Shapes, ours: Shapes) -> str:
    """Describe how a checkpoint's weights differ from a model's; empty if names and shapes are the same."""
    common = saved.keys() & ours.keys()
    if 2 * len(common) < len(ours):
        return (
            f"it is of another model: it has {len(common)} of the {len(ours)} weights of this model, and holds "
            f"{_some(sorted(saved.keys() - common))}"
        )
    different = [name for name in ours if name in common and saved[name] != ours[name]]
    if different and set(different) <= set(LABEL_WEIGHTS):
        name = different[0]
        return (
            f"it has {saved[name][0]} output symbols, but the dictionary has {ours[name][0]}: use the dictionary that "
            "it was trained with"
        )
    if different:
        name = different[0]
        return (
            f"it is of another size: `{name}` is {saved[name]} in it and {ours[name]} in the model, "
            f"and {len(different) - 1} more differ; use the size that it was trained with (`+size/…=`)"
        )
    missing, unknown = sorted(ours.keys() - common), sorted(saved.keys() - common)
    parts = [f"it lacks {_some(missing)}"] if missing else []
    if unknown:
        parts.append(f"it holds {_some(unknown)}, which are not in the model")
    return "; ".join(parts)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
