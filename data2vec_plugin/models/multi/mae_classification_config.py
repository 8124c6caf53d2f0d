"""Configuration of ``mae_image_classification``: upstream's keys and defaults."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Optional

from fairseq.dataclass import FairseqDataclass
from omegaconf import II, MISSING

from ...config_keys import key


class PredictionMode(Enum):
    """The part of an image's features that is classified."""

    MEAN_POOLING = auto()
    CLS_TOKEN = auto()
    LIN_SOFTMAX = auto()


@dataclass
class MaeImageClassificationConfig(FairseqDataclass):
    """Keys of upstream's mae_image_classification; sizes come from the checkpoint."""

    model_path: str = key(MISSING, "checkpoint of the pre-trained data2vec_multi")
    no_pretrained_weights: bool = key(False, "use its sizes, but train from scratch")
    linear_classifier: bool = key(False, "train only the norm and the layer on top")
    num_classes: int = key(1000, "number of classes")
    mixup: float = key(0.8, "alpha of Beta(alpha, alpha), from which the shares of mixed images are drawn; 0: no mixup")
    cutmix: float = key(1.0, "the same for images with a box from another image; 0: no CutMix")
    label_smoothing: float = key(0.1, "share of a label that is spread over all classes in training")
    drop_path_rate: float = key(0.1, "drop path of the last layer, from 0 in the first")
    layer_decay: float = key(0.65, "learning rate of a layer relative to the layer above it; 0 or 1: the same for all")
    mixup_prob: float = key(1.0, "probability that a batch is mixed")
    mixup_switch_prob: float = key(0.5, "probability of CutMix instead of mixup, if both are on")
    mixup_mode: str = key("batch", "one draw per batch; the only supported mode")
    pretrained_model_args: Any = key(None, "written into checkpoints, so that model_path is not needed to load them")
    data: str = II("task.data")
    norm_eps: Optional[float] = key(None, "epsilon of layer norms; None: the checkpoint's")
    remove_alibi: bool = key(False, "no attention biases by distance")
    encoder_dropout: float = key(0, "dropout of the attention output")
    post_mlp_drop: float = key(0, "dropout of the feed-forward output")
    attention_dropout: float = key(0, "dropout of attention weights")
    activation_dropout: float = key(0.0, "dropout inside the feed-forward and of its result")
    dropout_input: float = key(0.0, "dropout of the input of the shared layers")
    layerdrop: float = key(0.0, "probability to skip a shared layer")
    prenet_layerdrop: float = key(0, "probability to skip one of the modality's own layers")
    prenet_dropout: float = key(0, "dropout of their input")
    use_fc_norm: bool = key(True, "layer norm after pooling")
    prediction_mode: PredictionMode = field(
        default=PredictionMode.MEAN_POOLING, metadata={"help": "what is classified: mean, class token, or LIN_SOFTMAX"}
    )
    no_decay_blocks: bool = key(True, "no weight decay of biases and norms inside layers")
