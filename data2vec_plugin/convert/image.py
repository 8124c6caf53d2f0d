"""Images: preprocessing, and a classifier on the mean of the patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

from ..checkpoints.encoder_checkpoint import Checkpoint
from ..data.image.transforms import MiddlePart, Normalization
from ..files.text.json_files import read_json
from ..interop.fairseq import vision_v1
from ..interop.huggingface import vision as hf_vision
from ..interop.huggingface.keys import refuse_beyond
from .classes import keep_names, name_classes
from .folder import json_text
from .modality import Beside, Given, Keys, Weights

NAMES, LAYOUT = hf_vision, vision_v1
PROCESSOR = "preprocessor_config.json"
CLASSIFIER = "data2vec_image_classification"
HEAD = ("fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias")
BICUBIC = 3


def kind(checkpoint: Checkpoint) -> str:
    """``base`` or ``classification``."""
    return "classification" if checkpoint.fine_tuned else "base"


def head(checkpoint: Checkpoint, given: Given) -> Weights:
    """The norm of the mean and the linear layer; raises ValueError for a pooling that Hugging Face does not support."""
    if not checkpoint.fine_tuned:
        return {}
    known = {"reference_compat": False, "pooling": "mean"}  # Hugging Face's does not normalise a class token
    refuse_beyond(known, {**known, **checkpoint.model}, "Hugging Face", "model.")
    absent = [name for name in HEAD if name not in checkpoint.head]
    if absent:
        raise ValueError(f"checkpoint {checkpoint.path} lacks `{absent[0]}`; its classes cannot be converted")
    return {f"head.{name}": checkpoint.head[name].float() for name in HEAD}


def write_extras(folder: Path, checkpoint: Checkpoint, kind: str, given: Given) -> Beside:
    """The image processor, and the class names of a classifier."""
    size, default = int(checkpoint.root["model"].get("image_size", 224)), Normalization()
    mean = list(checkpoint.task.get("normalization_mean") or default.mean)
    std = list(checkpoint.task.get("normalization_std") or default.std)
    beside = Beside(notes=[f"images of {size} x {size} pixels, mean {mean}, deviation {std}"])
    beside.files[PROCESSOR] = json_text(processor(size, mean, std))
    if kind == "classification":
        name_classes(beside, len(checkpoint.head["head.bias"]), given.labels)
    else:
        beside.notes.append(
            "to fine-tune on the mean of the patches, as data2vec does, load it with use_mean_pooling=True"
        )
    return beside


def processor(size: int, mean: List[float], std: List[float]) -> Keys:
    """Our evaluation as a Hugging Face processor. BEiT's loses the aspect ratio; CLIP's crops the centre, too."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": MiddlePart(size).shorter},
        "resample": BICUBIC,
        "do_center_crop": True,
        "crop_size": {"height": size, "width": size},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": mean,
        "image_std": std,
    }


def read_extras(folder: Path, hf: Keys, kind: str, given: Given) -> Beside:
    """The task's section: size and normalisation; for a classifier, the class names."""
    size, default = NAMES.config_from_hf(hf, kind)["image_size"], Normalization()
    task: Keys = {"_name": "image_pretraining", "data": "", "input_size": size}
    beside = Beside(keys=task)
    path = folder / PROCESSOR
    theirs = read_json(path) if path.is_file() else processor(size, list(default.mean), list(default.std))
    if not path.is_file():
        beside.notes.append(f"normalised with data2vec's defaults, since there is no {PROCESSOR}")
    if theirs.get("do_normalize", True):
        mean, std = theirs.get("image_mean") or default.mean, theirs.get("image_std") or default.std
    else:
        mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    task.update(normalization_mean=list(mean), normalization_std=list(std))
    beside.notes += [*remarks(theirs, size), *fresh_parts(hf, kind)]
    if kind == "classification":
        task.update(_name="image_classification")
        keep_names(beside, hf)
    return beside


def remarks(theirs: Mapping[str, Any], size: int) -> List[str]:
    """Preprocessing of Hugging Face's that is not done here."""
    ours = processor(size, [], [])
    steps = ("do_resize", "size", "resample", "do_center_crop", "do_rescale", "rescale_factor")
    other = [key for key in steps if key in theirs and theirs[key] != ours[key]]
    if not other:
        return []
    found = ", ".join(f"`{key}` {theirs[key]}" for key in other)
    shorter = MiddlePart(size).shorter
    return [
        f"its images are preprocessed with {found}; here: resize of the shorter side to {shorter} pixels, centre crop"
    ]


def fresh_parts(hf: Mapping[str, Any], kind: str) -> List[str]:
    """Notes on parts that a base model of Hugging Face may lack."""
    if kind != "base" or not hf.get("use_mean_pooling", True):
        return []
    return [
        "it has no final norm: the checkpoint has a newly initialised one, which features use and fine-tuning does not"
    ]


def fine_tuned(section: Keys, state: Weights, beside: Beside) -> Tuple[Keys, Weights]:
    """``data2vec_image_classification`` around the encoder."""
    weights: Dict[str, Any] = {name: state.pop(f"head.{name}") for name in HEAD}
    LAYOUT.to_upstream(state)
    weights.update({f"model.{name}": value for name, value in state.items()})
    keys = {
        "_name": CLASSIFIER,
        "model_path": "",
        "num_classes": len(weights["head.bias"]),
        "image_size": section["image_size"],
        "data": "",
        "pretrained_model_args": {"model": section},
    }
    return keys, weights
