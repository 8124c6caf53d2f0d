"""Sentiment, emotions or classes of unaligned sequences of vision, text and audio."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from fairseq.dataclass import FairseqDataclass
from fairseq.tasks import register_task
from numpy.typing import NDArray
from omegaconf import II, MISSING

from ..config_keys import key
from ..data.multimodal.samples import MultimodalDataset, Split, Target
from ..data.resumable import ResumableIterator
from ..files.multimodal.sequences import MODALITIES, read_features, read_stats
from ..files.unusable import UnusableFileError
from ..host.watching.task import Extent, WatchedTask
from .empty_batches import EmptyBatches
from .without_tokens import TaskWithoutTokens

REGRESSION, EMOTIONS = TARGETS = ("regression", "emotions")


@dataclass
class UnalignedMultimodalConfig(FairseqDataclass):
    """Keys of `unaligned_multimodal`."""

    data: str = key(MISSING, "folder with SPLIT.tsv and SPLIT.label, as `data2vec multimodal convert` writes it")
    target: str = key(REGRESSION, "regression (a number) or emotions (classes of some emotions)")
    emotions: str = key(
        "neutral,happy,sad,angry",
        "names of the emotions in a line of labels, separated by commas; one name: plain classes",
    )
    classes: int = key(2, "classes of each emotion")
    label_min: float = key(-3.0, "smallest label of a regression")
    label_max: float = key(3.0, "largest label of a regression")
    normalize: bool = key(False, "standardise channels with stats.npz")
    max_edges: int = key(0, "most edges in a batch's graphs, in addition to dataset.batch_size; 0: no limit")
    bad_sample_limit: int = key(0, "number of unusable files that each process may skip; one more stops the run")
    positive_shares: Optional[List[float]] = field(
        default=None, metadata={"help": "share of positives of each emotion; none: counted in the training set"}
    )
    train_split: str = II("dataset.train_subset")
    seed: int = II("common.seed")


@register_task("unaligned_multimodal", dataclass=UnalignedMultimodalConfig)
class UnalignedMultimodalTask(EmptyBatches, WatchedTask, TaskWithoutTokens):
    """Data sets of :class:`MultimodalDataset`; they determine the model's channels, the target its outputs."""

    cfg: UnalignedMultimodalConfig
    memory_knobs = "set or lower `task.max_edges`, or lower `dataset.batch_size`"

    def __init__(self, cfg: UnalignedMultimodalConfig) -> None:
        check_values(cfg)
        super().__init__(cfg)
        self.emotions: Sequence[str] = emotion_list(cfg) if cfg.target == EMOTIONS else []
        self.target = Target(tuple(self.emotions), cfg.classes, cfg.label_min, cfg.label_max)
        self.outputs = self.target.outputs
        self.modalities: Sequence[str] = MODALITIES
        self.all_to_all = False

    def build_model(self, model_cfg: Any, from_checkpoint: bool = False) -> Any:
        """Build the model, whose modalities decide what is loaded; raises ValueError if its outputs do not match."""
        model = super().build_model(model_cfg, from_checkpoint)
        config = model.graph.config
        if config.outputs != self.outputs:
            raise ValueError(
                f"`model.outputs` is {config.outputs}, but `task.target` {self.cfg.target} has {self.outputs}"
            )
        self.modalities, self.all_to_all = tuple(config.dims), config.edges.all_to_all
        return model

    def channels(self, modalities: Sequence[str]) -> Dict[str, int]:
        """Channels of each modality in the training data; raises UnusableFileError if no sample has it."""
        folder = Path(self.cfg.data)
        split = Split.of(folder, self.cfg.train_split, self.target, modalities)
        found: Dict[str, int] = {}
        for modality in modalities:
            place = MODALITIES.index(modality)
            sample = next((sample for sample in split.samples if sample.lengths[place]), None)
            if sample is None:
                raise UnusableFileError.of(
                    split.path,
                    f"no sample has {modality}; remove it from `model.modalities`, or set its number of channels",
                )
            found[modality] = read_features(sample)[modality].shape[1]
        return found

    def load_dataset(self, split: str, task_cfg: Any = None, **kwargs: Any) -> None:
        """Read manifest and labels of a split; features follow batch by batch."""
        folder = Path(self.cfg.data)
        opened = Split.of(folder, split, self.target, self.modalities)
        dataset = MultimodalDataset(
            opened,
            self.target,
            self.modalities,
            seed=self.cfg.seed,
            shuffled=split == self.cfg.train_split,
            max_edges=self.cfg.max_edges,
            bad_limit=self.cfg.bad_sample_limit,
            stats=read_stats(folder, self.modalities) if self.cfg.normalize else None,
            all_to_all=self.all_to_all,
        )
        dataset.bad_files.report_at_exit()
        self.datasets[split] = dataset

    def positive_shares(self) -> Optional[List[float]]:
        """Share of positives of each emotion, as configured or in the training set; None if it is unknown."""
        if self.cfg.positive_shares is not None:
            return list(self.cfg.positive_shares)
        dataset = self.datasets.get(self.cfg.train_split)
        if dataset is None or self.cfg.classes != 2:
            return None
        shares: List[float] = np.mean(dataset.split.labels, axis=0).tolist()
        return shares

    def extent(self, dataset: Any, indices: NDArray[np.int64]) -> Extent:
        """Edges in an epoch."""
        return Extent(int(dataset.edges[indices].sum()), "edges", len(indices), "samples")

    def get_batch_iterator(self, dataset: Any, *args: Any, **kwargs: Any) -> ResumableIterator:
        """fairseq's own iterator, which on resume refuses other samples than it was saved with."""
        iterator = super().get_batch_iterator(dataset, *args, **kwargs)
        return ResumableIterator(iterator, dataset.split.path, dataset.split.digest)


def emotion_list(cfg: UnalignedMultimodalConfig) -> List[str]:
    """Return the names of the emotions."""
    return [name.strip() for name in cfg.emotions.split(",") if name.strip()]


def check_values(cfg: UnalignedMultimodalConfig) -> None:
    """Raise ValueError for an invalid value."""
    if cfg.target not in TARGETS:
        raise ValueError(f"`task.target` is {cfg.target!r}; expected {' or '.join(TARGETS)}")
    if cfg.target == EMOTIONS and (not emotion_list(cfg) or cfg.classes < 2):
        raise ValueError(
            f"`task.emotions` is {cfg.emotions!r}, with {cfg.classes} classes; expected at least 1 emotion of at "
            "least 2 classes"
        )
    if cfg.label_min >= cfg.label_max:
        raise ValueError(f"`task.label_min` is {cfg.label_min}; expected less than `task.label_max`, {cfg.label_max}")
    shares = cfg.positive_shares
    if shares is not None and (len(shares) != len(emotion_list(cfg)) or not all(0 < share < 1 for share in shares)):
        raise ValueError(f"`task.positive_shares` is {list(shares)}; expected a share in (0, 1) for each emotion")
    for name in ("max_edges", "bad_sample_limit"):
        if getattr(cfg, name) < 0:
            raise ValueError(f"`task.{name}` is {getattr(cfg, name)}; expected 0 or more")
