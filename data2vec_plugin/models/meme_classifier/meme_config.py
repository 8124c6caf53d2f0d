"""Keys of `meme_classifier`."""

from dataclasses import dataclass
from typing import Any, List, Optional

from fairseq.dataclass import FairseqDataclass

from ...config_keys import key

IMAGE, TEXT = PARTS = ("image", "text")
DATA2VEC, VGG, BERT = "data2vec", "vgg16", "bert"
ENCODERS = {IMAGE: (DATA2VEC, VGG), TEXT: (DATA2VEC, BERT)}


@dataclass
class MemeClassifierConfig(FairseqDataclass):
    """Defaults are the paper's, on data2vec's features."""

    image_path: Optional[str] = key(
        None, "data2vec_vision checkpoint; for vgg16, a local file with torchvision's weights"
    )
    text_path: Optional[str] = key(None, "data2vec_text checkpoint; for bert, a local Hugging Face folder")
    image_encoder: str = key(DATA2VEC, "data2vec or vgg16")
    text_encoder: str = key(DATA2VEC, "data2vec or bert")
    modalities: str = key("image,text", "inputs of the model: image,text or image or text")
    freeze: bool = key(True, "encoders are frozen, without dropout; false: they are trained too")
    encoder_lr_scale: float = key(0.01, "factor on the learning rate of encoders that are not frozen")
    standardize: bool = key(True, "standardise frozen features with the statistics of the training set")
    hidden: int = key(100, "width of both hidden layers; 50 in the published code")
    dropout: float = key(0.2, "dropout after the first hidden layer")
    max_tokens: int = key(0, "most tokens of a caption; 0: the encoder's limit, 50 for bert")
    vgg_relu: bool = key(False, "vgg16 features are taken after the last ReLU, not before")
    release_preprocessing: bool = key(False, "pixels as in the published code: BGR, not normalised")
    image_args: Any = key(None, "configuration of the picture encoder; set from its checkpoint and saved")
    text_args: Any = key(None, "configuration of the caption encoder; set from its checkpoint and saved")


def chosen_parts(cfg: MemeClassifierConfig) -> List[str]:
    """Return the names of the parts; raises ValueError if one is unknown or repeated, or if there are none."""
    chosen = [name.strip() for name in cfg.modalities.split(",") if name.strip()]
    if not chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(PARTS):
        raise ValueError(f"`model.modalities` is {cfg.modalities!r}; expected image,text or image or text")
    return [name for name in PARTS if name in chosen]


def check_values(cfg: MemeClassifierConfig) -> None:
    """Raise ValueError for a value with which no model can be built."""
    for part in chosen_parts(cfg):
        encoder = getattr(cfg, f"{part}_encoder")
        if encoder not in ENCODERS[part]:
            raise ValueError(f"`model.{part}_encoder` is {encoder!r}; expected {' or '.join(ENCODERS[part])}")
        if not getattr(cfg, f"{part}_args") and not getattr(cfg, f"{part}_path"):
            raise ValueError(f"`model.{part}_path` is not set; expected a local file with the weights of {encoder}")
    if cfg.hidden < 1 or not 0 <= cfg.dropout < 1:
        raise ValueError(
            f"`model.hidden` is {cfg.hidden}, `model.dropout` {cfg.dropout}; expected `model.hidden` of at least 1, "
            "`model.dropout` below 1"
        )
    if cfg.max_tokens < 0 or 0 < cfg.max_tokens < 3:
        raise ValueError(
            f"`model.max_tokens` is {cfg.max_tokens}; expected 0, or at least 3: two of them are special symbols"
        )
    if not cfg.encoder_lr_scale > 0:
        raise ValueError(
            f"`model.encoder_lr_scale` is {cfg.encoder_lr_scale}; expected more than 0; to freeze encoders, set "
            "`+model.freeze=true`"
        )
