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
"""Least and greatest share of a picture that a random part takes."""


@dataclass
class MaeImagePretrainingConfig(ImageTaskConfig):
    """Upstream's keys and defaults, then ours."""

    multi_data: Optional[List[str]] = field(None, "several folders in place of data")
    local_cache_path: Optional[str] = field(None, "accepted; pictures are read where they are")
    key: str = field("imgs", "as what the model reads pictures; data2vec_multi reads `source`")
    beit_transforms: bool = field(False, "colours vary, and a part is 8 % of a picture or more")
    target_transform: bool = field(False, "the teacher sees the same part in other colours")
    no_transform: bool = field(False, "pictures are squeezed into a square, and nothing is drawn")
    rebuild_batches: bool = field(True, "accepted; which pictures share a batch is drawn in every epoch")
    precompute_mask_config: Any = field(
        None, "masks are blocks as upstream's loader draws them, {} or with keys in place of the model's"
    )
    subsample: float = field(1, "not supported: give a smaller folder")
    seed: int = II("common.seed")
    dataset_type: str = field("imagefolder", "imagefolder: DATA/SPLIT; path: all pictures below the folders")

    crop_scale: Tuple[float, float] = field(MAE_SCALE, "least and greatest share of a picture that a random part takes")


@dataclass
class MultimodalPretrainingConfig(FairseqDataclass):
    """Upstream's keys and defaults, and one of ours at the end."""

    audio: Optional[AudioTaskConfig] = field(None, "speech, by the keys of audio_pretraining; without it there is none")
    image: Optional[MaeImagePretrainingConfig] = field(None, "pictures, by the keys of mae_image_pretraining")
    text: Optional[MaskedTextConfig] = field(None, "text, by the keys of masked_lm")
    audio_ratio: float = field(1, "batches of speech in an epoch, in multiples of those that there are")
    image_ratio: float = field(1, "the same of pictures")
    text_ratio: float = field(1, "the same of text")
    max_tokens: Optional[int] = II("dataset.max_tokens")
    batch_size: Optional[int] = II("dataset.batch_size")
    update_freq: List[int] = II("optimization.update_freq")
    rebuild_batches: bool = field(True, "accepted; what is drawn is drawn when a batch is made")

    train_split: str = II("dataset.train_subset")
