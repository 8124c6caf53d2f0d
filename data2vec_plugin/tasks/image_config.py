"""Keys of the image tasks: upstream's, then ours."""

import math
from dataclasses import dataclass
from typing import List, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from omegaconf import II, MISSING

from ..config_keys import key
from ..data.image.transforms import Normalization


@dataclass
class ImageTaskConfig(FairseqDataclass):
    """Keys of every image task."""

    data: str = key(MISSING, "folder with, for each split, a folder SPLIT of images or archives SPLIT-000000.tar")
    input_size: int = key(224, "side of the square input image, in pixels")
    normalization_mean: List[float] = key((0.485, 0.456, 0.406), "mean of red, green and blue, on a scale from 0 to 1")
    normalization_std: List[float] = key((0.229, 0.224, 0.225), "standard deviation of red, green and blue")

    crop_scale: Tuple[float, float] = key((0.08, 1.0), "smallest and largest share of an image in a random crop")
    flip_prob: float = key(
        0.5, "share of training images that are flipped horizontally; 0 if left and right differ in meaning, as in text"
    )
    bad_image_limit: int = key(10, "number of unusable images that each process may skip; one more stops the run")
    index_dir: Optional[str] = key(None, "where the index of tar archives is kept; DATA/index if not given")
    train_split: str = II("dataset.train_subset")
    seed: int = II("common.seed")


@dataclass
class ImagePretrainingConfig(ImageTaskConfig):
    """Upstream's ``image_pretraining``; masks follow the model's keys."""

    color_jitter: float = key(0.4, "strength of random brightness, contrast and saturation; 0 is off")


@dataclass
class ImageClassificationConfig(ImageTaskConfig):
    """Upstream's ``image_classification``."""

    bad_image_limit: int = key(0, "number of unusable images that each process may skip; accuracy does not show them")
    auto_augment: Optional[str] = key("rand-m9-mstd0.5-inc1", "RandAugment of training images, or none")
    erase_prob: float = key(0.25, "share of training images in which a rectangle is replaced by noise")
    evaluate_ema: bool = key(True, "with ema.store_ema, evaluate the average of the weights instead of the weights")
    repeated_augmentation: int = key(1, "views of a training image in its batch; the length of an epoch is unchanged")


BOUNDS = {
    "input_size": (1, 8192),
    "bad_image_limit": (0, math.inf),
    "color_jitter": (0, math.inf),
    "erase_prob": (0, 1),
    "flip_prob": (0, 1),
}


def check_values(cfg: ImageTaskConfig) -> None:
    """Raise ValueError for a value out of range."""
    for name, (least, most) in BOUNDS.items():
        value = getattr(cfg, name, least)
        if not least <= value <= most:
            raise ValueError(f"`task.{name}` is {value}; expected {least} to {most}")
    smaller, greater = cfg.crop_scale
    if not 0 < smaller <= greater <= 1:
        raise ValueError(
            f"`task.crop_scale` is {list(cfg.crop_scale)}; expected two shares of an image, the smaller first, such "
            "as [0.08, 1.0]"
        )


def normalization(cfg: ImageTaskConfig) -> Normalization:
    """Return mean and deviation; raises ValueError unless there are three of each, the latter above 0."""
    for name in ("normalization_mean", "normalization_std"):
        values = list(getattr(cfg, name))
        if len(values) != 3 or (name == "normalization_std" and min(values) <= 0):
            raise ValueError(
                f"`task.{name}` is {values}; expected three values, for red, green and blue"
                + (", all of them above 0" if name == "normalization_std" else "")
            )
    return Normalization(tuple(cfg.normalization_mean), tuple(cfg.normalization_std))
