"""Configuration of ``data2vec_text_classification``: upstream's keys and defaults, then ours."""

from dataclasses import dataclass
from typing import Any, Optional

from fairseq.dataclass import FairseqDataclass
from omegaconf import MISSING

from ..config_keys import key


@dataclass
class Data2VecTextClassificationConfig(FairseqDataclass):
    """Upstream's keys, then ours; sizes come from the checkpoint."""

    pooler_dropout: float = key(0.0, "dropout in the head")
    pooler_activation_fn: str = key("tanh", "activation in the head")
    quant_noise_pq: int = key(0, "accepted; only 0")
    quant_noise_pq_block_size: int = key(8, "accepted; belongs to quant_noise_pq")
    spectral_norm_classification_head: bool = key(False, "apply spectral norm to the head's last layer")
    model_path: str = key(MISSING, "checkpoint of the pre-trained data2vec_text")
    no_pretrained_weights: bool = key(False, "use its sizes, but train from scratch")
    pretrained_model_args: Any = key(None, "written into checkpoints, so that model_path is not needed to load them")

    dropout: Optional[float] = key(None, "dropout of the encoder; None is the checkpoint's")
    attention_dropout: Optional[float] = key(None, "dropout of attention weights; None is the checkpoint's")
    activation_dropout: Optional[float] = key(None, "dropout in the feed-forward; None is the checkpoint's")
    max_positions: Optional[int] = key(None, "set by the task; the model uses the checkpoint's")
    token_level: bool = key(False, "a class for every token (tagging) instead of one for the row")
