"""Pre-training on pictures: upstream's `image_pretraining` with reproducible crops and masks, and checks."""

from typing import Any, Optional

from fairseq.tasks import register_task

from ..config_keys import BLOCK_KEYS, told_by_key
from ..core.masks.block_masking import BlockMaskConfig, BlockMasker
from ..data.image.datasets import ImageDataset, MaskedImageDataset
from ..data.image.transforms import pretraining_transform
from ..data.sample_seeds import SampleSeeds
from ..modalities.image import ImageConfig
from .image_config import ImagePretrainingConfig
from .images import ImageTask


@register_task("image_pretraining", dataclass=ImagePretrainingConfig)
class ImagePretrainingTask(ImageTask):
    """Draws crops and masks in the loader from (seed, epoch, sample id), for a ``data2vec_vision`` model."""

    cfg: ImagePretrainingConfig
    seeds: SampleSeeds

    def __init__(self, cfg: ImagePretrainingConfig) -> None:
        super().__init__(cfg)
        self.masker: Optional[BlockMasker] = None
        self.seeds = SampleSeeds(cfg.seed)

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model and learn from its keys what its masks look like.

        Raises ValueError for settings that cannot pre-train; a model out of a checkpoint may serve another purpose.
        """
        model = super().build_model(model_cfg, from_checkpoint)
        self.masker = block_masker(self.cfg.input_size, getattr(model, "cfg", model_cfg))
        if isinstance(getattr(model, "image", None), ImageConfig) and not from_checkpoint:
            with told_by_key({**model.keys, **BLOCK_KEYS}):
                model.config.check_targets()
                model.method.masks.masker.check_share()
        return model

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Find the pictures of a split, labelled or not; without a model they come without masks."""
        cfg = self.cfg
        source = self.open_source(split, labelled=False)
        transform = pretraining_transform(
            cfg.input_size, self.normalization, cfg.crop_scale, cfg.color_jitter, cfg.flip_prob
        )
        options = self.dataset_options(split)
        if self.masker is None:
            dataset = ImageDataset(source, transform, cfg.seed, **options)
        else:
            dataset = MaskedImageDataset(self.masker, self.seeds, source, transform, **options)
        dataset.bad_files.report_at_exit()
        self.datasets[split] = dataset


def block_masker(size: int, model_cfg: Any) -> Optional[BlockMasker]:
    """Draws the masks that a model's keys ask for; None for a model that has no such keys."""
    patches = getattr(model_cfg, "num_mask_patches", None)
    if not patches:
        return None
    side = size // model_cfg.patch_size
    with told_by_key(BLOCK_KEYS):
        config = BlockMaskConfig(patches, model_cfg.min_mask_patches_per_block, model_cfg.max_mask_patches_per_block)
        return BlockMasker(config, side, side)
