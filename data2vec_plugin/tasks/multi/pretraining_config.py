"""Keys of upstream's `mae_image_pretraining` and `multimodal_pretraining`, and ours."""

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from omegaconf import II

from ...config_keys import key as field
from ..audio_config import AudioTaskConfig
from ..image_config import ImageTaskConfig
from ..text_config import MaskedTextConfig

BEIT_SCALE, MAE_SCALE = (0.08, 1.0), (0.2, 1.0)
"""Smallest and largest share of a picture in a random crop."""


@dataclass
class MaeImagePretrainingConfig(ImageTaskConfig):
    """Upstream's keys and defaults, then ours."""

    multi_data: Optional[List[str]] = field(None, "several folders, instead of data")
    local_cache_path: Optional[str] = field(None, "accepted; images are read from their location")
    key: str = field("imgs", "name under which the model reads images; data2vec_multi reads `source`")
    beit_transforms: bool = field(False, "colour jitter, and crops of at least 8 % of an image")
    target_transform: bool = field(False, "the teacher sees the same crop in different colours")
    no_transform: bool = field(False, "images are resized to a square, without random augmentation")
    rebuild_batches: bool = field(True, "accepted; batches are drawn anew in every epoch")
    precompute_mask_config: Any = field(
        None, "masks are blocks as upstream's loader draws them, {} or with keys that replace the model's"
    )
    subsample: float = field(1, "not supported: use a smaller folder")
    seed: int = II("common.seed")
    dataset_type: str = field("imagefolder", "imagefolder: DATA/SPLIT; path: all images below the folders")

    crop_scale: Tuple[float, float] = field(MAE_SCALE, "smallest and largest share of an image in a random crop")


@dataclass
class MultimodalPretrainingConfig(FairseqDataclass):
    """Upstream's keys and defaults, and one of this plugin's at the end."""

    audio: Optional[AudioTaskConfig] = field(None, "speech, with the keys of audio_pretraining; not used if absent")
    image: Optional[MaeImagePretrainingConfig] = field(None, "images, with the keys of mae_image_pretraining")
    text: Optional[MaskedTextConfig] = field(None, "text, with the keys of masked_lm")
    audio_ratio: float = field(1, "batches of speech in an epoch, relative to one pass through the data")
    image_ratio: float = field(1, "the same for images")
    text_ratio: float = field(1, "the same for text")
    max_tokens: Optional[int] = II("dataset.max_tokens")
    batch_size: Optional[int] = II("dataset.batch_size")
    update_freq: List[int] = II("optimization.update_freq")
    rebuild_batches: bool = field(True, "accepted; random choices are made when a batch is loaded")

    train_split: str = II("dataset.train_subset")
