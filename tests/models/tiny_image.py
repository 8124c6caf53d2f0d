"""A checkpoint of the tiny image model, and classifiers built on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from fairseq.models import build_model
from models.tiny import drift
from models.tiny_text import trainer_state
from models.tiny_vision import section, tiny_vision
from omegaconf import OmegaConf

from data2vec_plugin.models.data2vec_image_classification import Data2VecImageClassificationModel

CLASSES = 7


def write_checkpoint(path: Path, **settings: Any) -> Path:
    """A checkpoint of pre-training, with teacher, head and final norm, no weight at its initial value."""
    model = tiny_vision(**settings)
    drift(model, 1)
    model.set_num_updates(2)
    torch.save(trainer_state({"model": section(**settings)}, model.state_dict()), path)
    return path


def classifier(path: Path | str, **settings: Any) -> Data2VecImageClassificationModel:
    """The classifier that fairseq builds on a checkpoint, in training mode."""
    torch.manual_seed(1)
    values = {"_name": "data2vec_image_classification", "model_path": str(path), "num_classes": CLASSES, "data": ""}
    cfg = OmegaConf.create({"image_size": None, **values, **settings})
    built: Data2VecImageClassificationModel = build_model(cfg, None)
    return built.train()
