"""Pre-training of data2vec 2.0 on pictures: upstream's `mae_image_pretraining` by its keys, in our loader."""

from pathlib import Path
from typing import Any, List

from fairseq.tasks import register_task

from ...data.image.datasets import MaskedImageDataset, TwoLooksDataset
from ...data.image.random_steps import ColorJitter, Flip, RandomPart
from ...data.image.several_sources import SeveralSources
from ...data.image.source import ImageSource
from ...data.image.split import open_split
from ...data.image.transforms import Squeezed, Step, ToTensor, Transform
from ...data.image.tree import ImageTree
from ..image_pretraining import MaskingImageTask
from ..images import require_packages
from .masks import method_of
from .pretraining_config import BEIT_SCALE, MaeImagePretrainingConfig

KINDS = ("imagefolder", "path")
JITTER = 0.4


@register_task("mae_image_pretraining", dataclass=MaeImagePretrainingConfig)
class MaeImagePretrainingTask(MaskingImageTask):
    """Pictures augmented as for masked autoencoders, by crops and flips, or as set by keys."""

    cfg: MaeImagePretrainingConfig

    def __init__(self, cfg: MaeImagePretrainingConfig) -> None:
        super().__init__(cfg)
        self.key = cfg.key

    def learn_masks(self, model: Any, check: bool) -> Any:
        """As in other image tasks; raises ValueError if ``key`` is not the name under which a model reads pictures."""
        if self.cfg.key != "source" and method_of(model, "IMAGE") is not None:
            raise ValueError(
                f"`{self.section}.key` is {self.cfg.key}; expected `source`, the name under which data2vec_multi "
                "reads images"
            )
        return super().learn_masks(model, check)

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Find the pictures of a split; without a model they come without masks."""
        cfg = self.cfg
        options = {**self.dataset_options(split), "key": self.key}
        shared = (self.masks, self.patches, self.seeds, self.pictures(split))
        if cfg.target_transform:
            look = Transform([ColorJitter(JITTER), ToTensor(self.normalization)])
            dataset: MaskedImageDataset = TwoLooksDataset(look, *shared, Transform(self.steps()), **options)
        else:
            transform = Transform([*self.steps(), ToTensor(self.normalization)])
            dataset = MaskedImageDataset(*shared, transform, **options)
        dataset.bad_files.report_at_exit()
        self.datasets[split] = dataset

    def pictures(self, split: str) -> ImageSource:
        """Return the source of a split's pictures."""
        require_packages()
        check_supported(self.cfg, self.section)
        folders = [Path(folder) for folder in self.cfg.multi_data or [self.cfg.data]]
        sources: List[ImageSource] = []
        for folder in folders:
            if self.cfg.dataset_type == "path":
                sources.append(ImageTree(folder, labelled=False))
            else:
                sources.append(open_split(folder, split, labelled=False, index_dir=self.cfg.index_dir))
        return sources[0] if len(sources) == 1 else SeveralSources(sources)

    def steps(self) -> List[Step]:
        """Return the steps from a picture to the part that the model sees."""
        cfg = self.cfg
        if cfg.no_transform:
            return [Squeezed(cfg.input_size)]
        if not cfg.beit_transforms:
            return [RandomPart(cfg.input_size, cfg.crop_scale), Flip(cfg.flip_prob)]
        jitter: List[Step] = [] if cfg.target_transform else [ColorJitter(JITTER)]
        return [*jitter, Flip(cfg.flip_prob), RandomPart(cfg.input_size, BEIT_SCALE)]


def check_supported(cfg: MaeImagePretrainingConfig, section: str) -> None:
    """Raise ValueError for a key that this task would have to ignore."""
    if cfg.dataset_type not in KINDS:
        raise ValueError(f"`{section}.dataset_type` is {cfg.dataset_type!r}; expected {' or '.join(KINDS)}")
    if cfg.subsample != 1:
        raise ValueError(f"`{section}.subsample` is {cfg.subsample}; this task supports 1 only: use a smaller folder")
