"""A tiny image model, its checkpoint, and classifiers built on that."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import torch
from fairseq.dataclass.utils import merge_with_parent
from fairseq.models import build_model
from omegaconf import OmegaConf

from data2vec_plugin.models.data2vec_image_classification import Data2VecImageClassificationModel
from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel
from data2vec_plugin.models.vision_config import Data2VecVisionConfig

DIM, LAYERS, SIZE, PATCH, CLASSES = 16, 3, 16, 4, 7
KEYS = {
    "_name": "data2vec_vision",
    "image_size": SIZE,
    "patch_size": PATCH,
    "depth": LAYERS,
    "embed_dim": DIM,
    "num_heads": 2,
    "num_mask_patches": 6,
    "min_mask_patches_per_block": 2,
    "average_top_k_layers": 2,
    "drop_path": 0.0,
    "ema_anneal_end_step": 10,
}


def tiny_vision(**keys: Any) -> Data2VecVisionModel:
    """Random weights, none of them at a value that makes it idle."""
    torch.manual_seed(0)
    cfg = merge_with_parent(Data2VecVisionConfig(), OmegaConf.create({**KEYS, **keys}))
    model = Data2VecVisionModel.build_model(cfg)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def trainer_state(cfg: Dict[str, Any], weights: Dict[str, Any]) -> Dict[str, Any]:
    """What fairseq's trainer saves, as far as fine-tuning reads it."""
    history = [{"criterion_name": "X", "optimizer_name": "X", "lr_scheduler_state": {}, "num_updates": 3}]
    return {"cfg": cfg, "args": None, "model": weights, "optimizer_history": history, "extra_state": {"epoch": 1}}


def write_checkpoint(path: Path, **keys: Any) -> Path:
    """A checkpoint of pre-training, with teacher, head and final norm."""
    model = tiny_vision(**keys)
    model.set_num_updates(3)
    torch.save(trainer_state({"model": {**KEYS, **keys}}, model.state_dict()), path)
    return path


def classifier(path: Path | str, **keys: Any) -> Data2VecImageClassificationModel:
    """The classifier of seven classes that fairseq builds on a checkpoint."""
    torch.manual_seed(1)
    section = {"_name": "data2vec_image_classification", "model_path": str(path), "num_classes": CLASSES, "data": ""}
    built: Data2VecImageClassificationModel = build_model(
        OmegaConf.create({"image_size": None, **section, **keys}), None
    )
    return built


def images(count: int = 5, size: int = SIZE) -> torch.Tensor:
    """(count, 3, size, size)."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(3))
