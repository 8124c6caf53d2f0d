"""Small memes, and pre-trained encoders of a few channels to read them with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Tuple

import torch
from features.made import text_checkpoint
from images import photograph
from models.tiny_text import trainer_state
from models.tiny_vision import PIXELS, section, tiny_vision
from omegaconf import OmegaConf

from data2vec_plugin.models.meme_classifier.meme_config import MemeClassifierConfig
from data2vec_plugin.tasks.meme_classification import MemeClassificationConfig, MemeClassificationTask

COUNTS = {"train": 12, "valid": 6}
MEAN, STD = [0.3, 0.4, 0.5], [0.2, 0.3, 0.4]


def write_memes(folder: Path, counts: Dict[str, int] = COUNTS) -> Path:
    """Lists with texts in sidecars; the first meme of each has none, the second an empty one."""
    for split, count in counts.items():
        (folder / split).mkdir(parents=True)
        lines = ["."]
        for number in range(count):
            picture = folder / split / f"{number}.png"
            photograph(number).save(picture)
            if number:
                words = " ".join(f"w{(number + word) % 20}" for word in range(number % 5)) if number > 1 else ""
                picture.with_name(f"{number}.png.ocr").write_text(words + "\n")
            lines.append(f"{split}/{number}.png\t{number % 2}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def write_encoders(folder: Path) -> Tuple[Path, Path]:
    """Checkpoints of an image and of a text model, in folders of their own."""
    image, text = folder / "image" / "image.pt", folder / "text" / "text.pt"
    for path in (image, text):
        path.parent.mkdir(parents=True)
    task = {"_name": "image_pretraining", "normalization_mean": MEAN, "normalization_std": STD}
    torch.save(trainer_state({"model": section(), "task": task}, tiny_vision().state_dict()), image)
    text_checkpoint(text, transformer__dropout=0.5, transformer__attention_dropout=0.5)
    return image, text


def task_on(data: Path, **keys: Any) -> MemeClassificationTask:
    """The task, as a configuration gives it."""
    settings = {"input_size": PIXELS, "symbols": True, "train_split": "train", "seed": 1, "cpu": True, **keys}
    return MemeClassificationTask(MemeClassificationConfig(data=str(data), **settings))


def model_section(encoders: Tuple[Path, Path], **keys: Any) -> Any:
    """A model's section of a configuration."""
    paths = {"image_path": str(encoders[0]), "text_path": str(encoders[1])}
    return OmegaConf.structured(MemeClassifierConfig(_name="meme_classifier", **{**paths, "hidden": 8, **keys}))
