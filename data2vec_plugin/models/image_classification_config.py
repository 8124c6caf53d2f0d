"""Configuration of ``data2vec_image_classification``: upstream's keys and defaults, then ours."""

from dataclasses import dataclass
from typing import Any, Optional

from fairseq.dataclass import FairseqDataclass
from omegaconf import II, MISSING

from ..config_keys import key
from .classification.mixing import MixingConfig

MEAN, CLASS_TOKEN = POOLINGS = ("mean", "class_token")


@dataclass
class Data2VecImageClassificationConfig(FairseqDataclass):
    """Upstream's keys, then ours; sizes come from the checkpoint."""

    model_path: str = key(MISSING, "checkpoint of the pre-trained data2vec_vision, or of a BEiT model")
    no_pretrained_weights: bool = key(False, "use its sizes, but train from scratch")
    num_classes: int = key(1000, "number of classes")
    mixup: float = key(0.8, "alpha of Beta(alpha, alpha), from which the shares of mixed images are drawn; 0: no mixup")
    cutmix: float = key(1.0, "the same for images with a box from another image; 0: no CutMix")
    label_smoothing: float = key(0.1, "share of a label that is spread over all classes in training")
    pretrained_model_args: Any = key(None, "written into checkpoints, so that model_path is not needed to load them")
    data: Optional[str] = II("task.data")

    image_size: Optional[int] = II("task.input_size")
    drop_path: Optional[float] = key(None, "drop path of the last layer, from 0 in the first; None: the checkpoint's")
    attention_dropout: Optional[float] = key(None, "dropout of attention weights; None: the checkpoint's")
    layer_decay: float = key(1.0, "learning rate of a layer relative to the layer above it; 1: the same for all")
    mixup_prob: float = key(1.0, "probability that a batch is mixed")
    mixup_switch_prob: float = key(0.5, "probability of CutMix instead of mixup, if both are on")
    checkpoint_activations: bool = key(False, "recompute activations in the backward pass, to save memory")
    reference_compat: bool = key(False, "reproduce upstream's bug: the mean omits the first patch")
    pooling: str = key("mean", "what is classified: the mean of the patches, or the output of the class_token")


def mixing_config(cfg: Any) -> MixingConfig:
    """Return how batches are mixed; raises ValueError for a value out of range."""
    return MixingConfig(cfg.mixup, cfg.cutmix, cfg.mixup_prob, cfg.mixup_switch_prob)


def check_values(cfg: Any) -> None:
    """Raise ValueError for an invalid number of classes, smoothing or pooling."""
    if cfg.num_classes < 1:
        raise ValueError(f"`model.num_classes` is {cfg.num_classes}; expected at least 1")
    if not 0 <= cfg.label_smoothing < 1:
        raise ValueError(f"`model.label_smoothing` is {cfg.label_smoothing}; expected a share in [0, 1)")
    if getattr(cfg, "pooling", MEAN) not in POOLINGS:
        raise ValueError(f"`model.pooling` is {cfg.pooling!r}; expected one of {', '.join(POOLINGS)}")
