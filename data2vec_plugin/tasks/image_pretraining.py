"""Pre-training on pictures: upstream's `image_pretraining` with reproducible crops and masks, and checks."""

from typing import Any, Optional

from fairseq.tasks import register_task

from ..config_keys import BLOCK_KEYS, errors_by_key
from ..core.masks.block_masking import BlockMaskConfig, BlockMasker
from ..core.masks.masking import BatchMasker
from ..data.image.datasets import ImageDataset, MaskedImageDataset
from ..data.image.source import ImageSource
from ..data.image.transforms import pretraining_transform
from ..data.sample_seeds import SampleSeeds
from ..modalities.image import ImageConfig
from .image_config import ImagePretrainingConfig, ImageTaskConfig
from .images import ImageTask
from .multi.masks import check_trains, masks_of, method_of


class MaskingImageTask(ImageTask):
    """Draws crops and masks in the loader from (seed, epoch, sample id), for our models of images.

    A task of data2vec 2.0 may say by ``precompute_mask_config`` that masks are blocks as upstream's loader draws them.
    """

    seeds: SampleSeeds
    section = "task"
    """Under which key the configuration stands."""
    key = "img"
    """As what a model reads pictures."""

    def __init__(self, cfg: ImageTaskConfig) -> None:
        super().__init__(cfg)
        self.masks: Optional[BatchMasker] = None
        self.patches = 0
        self.seeds = SampleSeeds(cfg.seed)

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model and learn from its keys what its masks look like.

        Raises ValueError for settings that cannot pre-train; a model out of a checkpoint may serve another purpose.
        """
        model = super().build_model(model_cfg, from_checkpoint)
        if method_of(model, "IMAGE") is not None:
            return self.learn_masks(model, check=not from_checkpoint)
        self.masks = block_masks(self.cfg.input_size, getattr(model, "cfg", model_cfg))
        if self.masks is not None:
            self.patches = patches_of(self.masks)
        if isinstance(getattr(model, "image", None), ImageConfig) and not from_checkpoint:
            with errors_by_key({**model.keys, **BLOCK_KEYS}):
                model.config.check_targets()
                model.method.masks.masker.check_share()
        return model

    def learn_masks(self, model: Any, check: bool) -> Any:
        """Learn from a model of data2vec 2.0 what its masks are; raises ValueError for settings that cannot train."""
        if check:
            check_trains(model, "IMAGE")
        settings = getattr(self.cfg, "precompute_mask_config", None)
        self.masks = masks_of(model, "IMAGE", self.seeds, settings, f"{self.section}.precompute_mask_config")
        self.patches = patches_of(self.masks)
        self.key = "source"
        return model


@register_task("image_pretraining", dataclass=ImagePretrainingConfig)
class ImagePretrainingTask(MaskingImageTask):
    """Pictures as v1 has them: other colours, mirrored, a part."""

    cfg: ImagePretrainingConfig

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Find the pictures of a split, labelled or not; without a model they come without masks."""
        dataset = self.dataset_of(self.open_source(split, labelled=False), split)
        dataset.bad_files.report_at_exit()
        self.datasets[split] = dataset

    def dataset_of(self, source: ImageSource, split: str) -> ImageDataset:
        """The pictures of a split with their masks."""
        cfg = self.cfg
        transform = pretraining_transform(
            cfg.input_size, self.normalization, cfg.crop_scale, cfg.color_jitter, cfg.flip_prob
        )
        options = {**self.dataset_options(split), "key": self.key}
        if self.masks is None:
            return ImageDataset(source, transform, cfg.seed, **options)
        return MaskedImageDataset(self.masks, self.patches, self.seeds, source, transform, **options)


def patches_of(masks: BatchMasker) -> int:
    """How many patches an image has that is masked on a grid."""
    grid: Any = masks.masker.grid  # type: ignore[attr-defined]
    height, width = grid
    return int(height * width)


def block_masks(size: int, model_cfg: Any) -> Optional[BatchMasker]:
    """Draws the masks that a model's keys ask for; None for a model that has no such keys."""
    patches = getattr(model_cfg, "num_mask_patches", None)
    if not patches:
        return None
    side = size // model_cfg.patch_size
    with errors_by_key(BLOCK_KEYS):
        config = BlockMaskConfig(patches, model_cfg.min_mask_patches_per_block, model_cfg.max_mask_patches_per_block)
        return BatchMasker(BlockMasker(config, side, side))
