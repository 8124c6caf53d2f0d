"""Fine-tuning on classes of pictures: upstream's `image_classification` with reproducible augmentation, and checks."""

from typing import Any, Dict, List, Mapping, Optional, Type

import numpy as np
from fairseq.tasks import register_task

from ..criterions.accuracy import log_accuracy
from ..data.image.datasets import LabelledImageDataset
from ..data.image.rand_augment import parse_rand_augment
from ..data.image.source import ImageSource
from ..data.image.transforms import Transform, evaluation_transform, training_transform
from ..host.checkpoints.averaged_weights import EvaluatesAverage
from .image_config import ImageClassificationConfig
from .images import ImageTask


@register_task("image_classification", dataclass=ImageClassificationConfig)
class ImageClassificationTask(EvaluatesAverage, ImageTask):
    """Pictures with their classes; those of the training split are augmented, those of others are centre-cropped."""

    cfg: ImageClassificationConfig
    dataset_type: Type[LabelledImageDataset] = LabelledImageDataset

    def __init__(self, cfg: ImageClassificationConfig) -> None:
        super().__init__(cfg)
        self.augment = parse_rand_augment(cfg.auto_augment)
        self.num_classes: Optional[int] = None

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model and read its number of classes."""
        self.num_classes = getattr(model_cfg, "num_classes", None)
        return super().build_model(model_cfg, from_checkpoint)

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Find the pictures of a split; raises ValueError if its classes are not those of the others."""
        source = self.open_source(split, labelled=True)
        self._check_classes(split, source)
        options = self.dataset_options(split, self.cfg.repeated_augmentation)
        dataset = self.dataset_type(source, self.transform(split), seed=self.cfg.seed, **options)
        dataset.bad_files.report_at_exit()
        self.datasets[split] = dataset

    def transform(self, split: str) -> Transform:
        """Return the transform of a split: augmentation in training, a centre crop otherwise."""
        cfg = self.cfg
        if split != cfg.train_split:
            return evaluation_transform(cfg.input_size, self.normalization)
        return training_transform(
            cfg.input_size, self.normalization, cfg.crop_scale, self.augment, cfg.erase_prob, cfg.flip_prob
        )

    def _check_classes(self, split: str, source: ImageSource) -> None:
        others = {name: dataset.source for name, dataset in self.datasets.items() if name != split}
        for other in others.values():
            _check_alike(source, other)
        self._check_trained({**others, split: source})
        labels = source.labels
        most = 0 if labels is None else int(labels.max()) + 1
        if self.num_classes is not None and most > self.num_classes:
            raise ValueError(
                f"{source.root}: split {split} has {most} classes (labels 0 to {most - 1}), "
                f"but `model.num_classes` is {self.num_classes}; expected at least {most}"
            )

    def _check_trained(self, sources: Mapping[str, ImageSource]) -> None:
        """Raise ValueError if a split has labels, without names to compare, that no training picture has."""
        train = sources.get(self.cfg.train_split)
        for split, source in sources.items():
            if train is None or train.labels is None or source.labels is None or source.classes is not None:
                continue
            unseen = np.setdiff1d(source.labels, train.labels)
            if len(unseen):
                raise ValueError(
                    f"{source.root}: split {split} has {len(unseen)} classes that split {self.cfg.train_split} lacks "
                    f"(labels {_few([str(label) for label in unseen])}), which cannot be learned; number the classes "
                    "of both splits in the same way, or remove these"
                )

    def reduce_metrics(self, logging_outputs: List[Dict[str, Any]], criterion: Any) -> None:
        """Log fairseq's metrics, and accuracy in percent if the criterion logs counts: `model` does by ``log_keys``."""
        super().reduce_metrics(logging_outputs, criterion)
        log_accuracy(logging_outputs)


def _check_alike(source: ImageSource, other: ImageSource) -> None:
    """Raise ValueError unless the classes of two splits are numbered in the same way."""
    ours, theirs = source.classes, other.classes
    if ours == theirs:
        return
    if ours is None or theirs is None:
        named, numbered = (other, source) if ours is None else (source, other)
        raise ValueError(
            f"{numbered.root} numbers its classes but {named.root} names them, so they cannot be matched; write both "
            "in the same way"
        )
    missing, more = sorted(set(theirs) - set(ours)), sorted(set(ours) - set(theirs))
    raise ValueError(
        f"{source.root} and {other.root} have different classes: the former lacks {len(missing)} ({_few(missing)}) "
        f"and has {len(more)} that the latter lacks ({_few(more)}); expected the same names in every split, since "
        "classes are numbered in sorted order"
    )


def _few(names: List[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "") or "none"
