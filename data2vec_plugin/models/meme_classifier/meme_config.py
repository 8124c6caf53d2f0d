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

    image_path: Optional[str] = key(None, "data2vec_vision's checkpoint; for vgg16 torchvision's weights, a local file")
    text_path: Optional[str] = key(None, "data2vec_text's checkpoint; for bert a local folder of Hugging Face's")
    image_encoder: str = key(DATA2VEC, "data2vec or vgg16")
    text_encoder: str = key(DATA2VEC, "data2vec or bert")
    modalities: str = key("image,text", "what is looked at: image,text or image or text")
    freeze: bool = key(True, "encoders stay as they are, without dropout; false: they are trained, too")
    encoder_lr_scale: float = key(0.01, "share of the learning rate that encoders have, unless they are frozen")
    standardize: bool = key(True, "centre and scale frozen features by those of the training set")
    hidden: int = key(100, "width of both hidden layers; 50 in the published code")
    dropout: float = key(0.2, "after the first hidden layer")
    max_tokens: int = key(0, "tokens of a caption that are read; 0: as many as the encoder reads, 50 for bert")
    vgg_relu: bool = key(False, "pictures' vectors of vgg16 are taken behind the last ReLU instead of before it")
    release_preprocessing: bool = key(False, "pixels as in the published code: BGR, neither centred nor scaled")
    image_args: Any = key(None, "what the picture's encoder is; set from its checkpoint, kept in ours")
    text_args: Any = key(None, "what the caption's encoder is; set from its checkpoint, kept in ours")


def chosen_parts(cfg: MemeClassifierConfig) -> List[str]:
    """Names of the parts; raises ValueError for one that is not known, twice there, or for none."""
    chosen = [name.strip() for name in cfg.modalities.split(",") if name.strip()]
    if not chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(PARTS):
        raise ValueError(f"`model.modalities` is {cfg.modalities!r}; expected image,text or image or text")
    return [name for name in PARTS if name in chosen]


def check_values(cfg: MemeClassifierConfig) -> None:
    """Raise ValueError for a value that no model can be made with."""
    for part in chosen_parts(cfg):
        encoder = getattr(cfg, f"{part}_encoder")
        if encoder not in ENCODERS[part]:
            raise ValueError(f"`model.{part}_encoder` is {encoder!r}; expected {' or '.join(ENCODERS[part])}")
        if not getattr(cfg, f"{part}_args") and not getattr(cfg, f"{part}_path"):
            raise ValueError(f"`model.{part}_path` is not given; expected the weights of {encoder}, a local file")
    if cfg.hidden < 1 or not 0 <= cfg.dropout < 1:
        raise ValueError(f"`model.hidden` is {cfg.hidden}, `model.dropout` {cfg.dropout}; expected 1 or more, below 1")
    if cfg.max_tokens < 0 or 0 < cfg.max_tokens < 3:
        raise ValueError(f"`model.max_tokens` is {cfg.max_tokens}; expected 0 or 3 and more: two of them are marks")
    if not cfg.encoder_lr_scale > 0:
        raise ValueError(f"`model.encoder_lr_scale` is {cfg.encoder_lr_scale}; expected more than 0, or freeze")
