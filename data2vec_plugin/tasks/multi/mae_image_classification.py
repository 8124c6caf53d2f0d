"""Fine-tuning of data2vec 2.0 on classes of pictures: upstream's `mae_image_classification` by its keys."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional

from fairseq.tasks import register_task

from ...config_keys import key
from ...data.image.datasets import LabelledImageDataset
from ..image_classification import ImageClassificationTask
from ..image_config import ImageClassificationConfig


@dataclass
class MaeImageClassificationTaskConfig(ImageClassificationConfig):
    """Upstream's keys, and those of our ``image_classification``, whose defaults are what upstream does."""

    local_cache_path: Optional[str] = key(None, "accepted if not set; images are not copied")
    rebuild_batches: bool = key(True, "accepted; each epoch is always shuffled differently")


class PluralDataset(LabelledImageDataset):
    """Pictures with their classes under upstream's names, ``imgs`` and ``labels``."""

    def collater(self, samples: List[Any]) -> Dict[str, Any]:
        """Collate a batch, and rename its inputs."""
        batch: Dict[str, Any] = super().collater(samples)
        if batch:
            inputs = batch["net_input"]
            batch["net_input"] = {"imgs": inputs.pop("img"), "labels": inputs.pop("label"), **inputs}
        return batch


@register_task("mae_image_classification", dataclass=MaeImageClassificationTaskConfig)
class MaeImageClassificationTask(ImageClassificationTask):
    """Our ``image_classification`` under upstream's name and keys."""

    cfg: MaeImageClassificationTaskConfig
    dataset_type = PluralDataset

    def __init__(self, cfg: MaeImageClassificationTaskConfig) -> None:
        if cfg.local_cache_path is not None:
            raise ValueError(
                f"`task.local_cache_path` is {cfg.local_cache_path}; images are not copied here: remove this key, and "
                "let `task.data` point to a fast disk"
            )
        super().__init__(cfg)
