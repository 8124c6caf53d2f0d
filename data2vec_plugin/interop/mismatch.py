"""Why a checkpoint does not fit a model, in a sentence."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Sequence, Tuple

Shapes = Dict[str, Tuple[int, ...]]

SPEECH_MODELS = ("data2vec_audio", "data2vec_multi", "wav2vec2", "hubert")
LABEL_WEIGHTS = ("w2v_encoder.proj.weight", "w2v_encoder.proj.bias")


def shapes(state: Mapping[str, Any]) -> Shapes:
    """The shape of every tensor of a state dict; nested entries such as the teacher's are left out."""
    return {name: tuple(value.shape) for name, value in state.items() if hasattr(value, "shape")}


def explain(saved: Shapes, ours: Shapes) -> str:
    """What tells a checkpoint's weights from a model's; empty if names and shapes are the same."""
    common = saved.keys() & ours.keys()
    if 2 * len(common) < len(ours):
        return (
            f"it is of another model: of our {len(ours)} weights it has {len(common)}; "
            f"it holds {_some(sorted(saved.keys() - common))}"
        )
    different = [name for name in ours if name in common and saved[name] != ours[name]]
    if different and set(different) <= set(LABEL_WEIGHTS):
        name = different[0]
        return (
            f"it has {saved[name][0]} output symbols, the dictionary {ours[name][0]}: "
            f"use the dictionary that it was trained with"
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
        parts.append(f"it holds {_some(unknown)}, which the model has not")
    return "; ".join(parts)


def model_name(checkpoint: Mapping[str, Any]) -> str:
    """The registered name of the model that fairseq wrote a checkpoint of, old or new; empty if it does not say."""
    cfg = checkpoint.get("cfg") or {}
    return str(cfg["model"]["_name"] if "model" in cfg else getattr(checkpoint.get("args"), "arch", ""))


def explain_pretrained(model_name: str) -> str:
    """Why a checkpoint of this model cannot be fine-tuned for speech; empty if it can."""
    if model_name in SPEECH_MODELS:
        return ""
    return f"it is of model `{model_name}`; speech recognition starts from {', '.join(SPEECH_MODELS)}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
