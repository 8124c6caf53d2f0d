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

    With ``precompute_mask_config``, tasks of data2vec 2.0 draw blocks as upstream's loader does.
    """

    seeds: SampleSeeds
    section = "task"
    """Key of this task's configuration, for messages."""
    key = "img"
    """Name under which a model reads pictures."""

    def __init__(self, cfg: ImageTaskConfig) -> None:
        super().__init__(cfg)
        self.masks: Optional[BatchMasker] = None
        self.patches = 0
        self.seeds = SampleSeeds(cfg.seed)

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model, and read the settings of masks from its keys.

        Raises ValueError for settings that cannot pre-train, unless the model is loaded from a checkpoint.
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
        """Read the masks of a data2vec 2.0 model; raises ValueError for settings that cannot train, if ``check``."""
        if check:
            check_trains(model, "IMAGE")
        settings = getattr(self.cfg, "precompute_mask_config", None)
        self.masks = masks_of(model, "IMAGE", self.seeds, settings, f"{self.section}.precompute_mask_config")
        self.patches = patches_of(self.masks)
        self.key = "source"
        return model


@register_task("image_pretraining", dataclass=ImagePretrainingConfig)
class ImagePretrainingTask(MaskingImageTask):
    """Pictures augmented as in v1: colour jitter, flips, crops."""

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
    """Return the number of patches of an image, from the grid of its masks."""
    grid: Any = masks.masker.grid  # type: ignore[attr-defined]
    height, width = grid
    return int(height * width)


def block_masks(size: int, model_cfg: Any) -> Optional[BatchMasker]:
    """Return the masker for a model's keys; None for a model without such keys."""
    patches = getattr(model_cfg, "num_mask_patches", None)
    if not patches:
        return None
    side = size // model_cfg.patch_size
    with errors_by_key(BLOCK_KEYS):
        config = BlockMaskConfig(patches, model_cfg.min_mask_patches_per_block, model_cfg.max_mask_patches_per_block)
        return BatchMasker(BlockMasker(config, side, side))
