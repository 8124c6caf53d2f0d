"""Samples of several modalities for fairseq, padded into batches of bounded graphs."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch
from fairseq.data import FairseqDataset
from numpy.typing import NDArray
from torch import Tensor

from ...files.multimodal.sequences import (
    MODALITIES,
    Features,
    Sample,
    read_classes,
    read_features,
    read_numbers,
    read_samples,
    samples_digest,
)
from ...files.unusable import UnusableFileError
from ...multimodal.relations import edge_count
from ..bad_files import BadFileError, BadFiles
from ..whole_epochs import CountedSamples, ShuffledEpoch

logger = logging.getLogger(__name__)

Indices = NDArray[np.int64]
Labels = List[Any]
"""For each sample, a number or a list of classes."""


class MultimodalFileError(BadFileError):
    """A sample that cannot be used; the message names it."""


@dataclass(frozen=True)
class Target:
    """The kind of labels: a number from ``least`` to ``most``, or one of ``classes`` for each of ``emotions``."""

    emotions: Tuple[str, ...] = ()
    classes: int = 2
    least: float = -3
    most: float = 3

    def read(self, path: Path, count: int) -> Labels:
        """Read the labels of a split of ``count`` samples; raises UnusableFileError for other labels."""
        if self.emotions:
            return read_classes(path, count, len(self.emotions), self.classes)
        return read_numbers(path, count, self.least, self.most)

    @property
    def outputs(self) -> int:
        """How many numbers a model predicts per sample."""
        return len(self.emotions) * self.classes if self.emotions else 1

    def tensor(self, labels: Sequence[Any]) -> Tensor:
        """Labels of a batch: (B,) numbers, or (B, emotions) int64."""
        return torch.tensor(labels, dtype=torch.long if self.emotions else torch.float32)


@dataclass(frozen=True)
class Split:
    """The samples of a split that have a frame, with their labels, if it has any."""

    path: Path
    samples: List[Sample]
    labels: Labels
    dropped: int

    @classmethod
    def of(cls, folder: Path, name: str, target: Target, modalities: Sequence[str], labelled: bool = True) -> Split:
        """Read manifest and labels; samples without a frame of ``modalities`` are dropped, with their labels.

        Raises UnusableFileError if a file cannot be used, or no sample is left.
        """
        path = folder / f"{name}.tsv"
        samples = read_samples(path)
        labels = target.read(folder / f"{name}.label", len(samples)) if labelled else []
        used = [MODALITIES.index(modality) for modality in modalities]
        kept = [place for place, sample in enumerate(samples) if any(sample.lengths[index] for index in used)]
        dropped = len(samples) - len(kept)
        if dropped:
            logger.warning(
                f"{path}: dropped {dropped} of {len(samples)} samples, because they have no frames, and labels"
            )
        if not kept:
            raise UnusableFileError.of(path, f"no sample has frames of {', '.join(modalities)}")
        return cls(path, [samples[place] for place in kept], [labels[place] for place in kept if labelled], dropped)

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits of the manifest's entries."""
        return samples_digest(self.path)

    def edges(self, modalities: Sequence[str], all_to_all: bool = False) -> Indices:
        """Return the number of edges of every sample's graph (N,)."""
        used = [modality in modalities for modality in MODALITIES]
        lengths = ([n * use for n, use in zip(sample.lengths, used)] for sample in self.samples)
        return np.array([edge_count(row, all_to_all) for row in lengths], dtype=np.int64)


class MultimodalDataset(ShuffledEpoch, CountedSamples, FairseqDataset):
    """Features of each modality with a label; with ``shuffled``, every epoch has new batches.

    ``max_edges`` bounds the edges of a batch's graphs, whose size grows with the product of lengths.
    """

    def __init__(
        self,
        split: Split,
        target: Target,
        modalities: Sequence[str],
        seed: int = 1,
        shuffled: bool = False,
        max_edges: int = 0,
        bad_limit: int = 0,
        stats: Optional[Mapping[str, Features]] = None,
        all_to_all: bool = False,
    ) -> None:
        super().__init__(seed, shuffled)
        self.split, self.target, self.modalities = split, target, tuple(modalities)
        self.max_edges = max_edges
        self.stats = stats or {}
        self.edges = split.edges(modalities, all_to_all)
        self.bad_files = BadFiles(len(self), bad_limit, self.name_of, MultimodalFileError, "bad_sample_limit")
        self.channels: Dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.split.samples)

    def name_of(self, index: int) -> str:
        """Return the file of a sample, for a message."""
        return str(self.split.samples[index].file)

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """Return ``id``, normalised ``features``, and ``frames``, False for rows of zeros; no features if skipped."""
        sample = self.split.samples[index]
        try:
            features = read_features(sample)
            features = {name: array for name, array in features.items() if name in self.modalities}
            self._check_channels(sample, features)
        except UnusableFileError as error:
            self.bad_files.leave_out(index, error.fault, error)
            return {"id": index, "features": None}
        frames = {name: np.abs(array).sum(1) != 0 for name, array in features.items()}
        return {"id": index, "features": self._normalised(features, frames), "frames": frames}

    def _check_channels(self, sample: Sample, features: Mapping[str, Features]) -> None:
        for name, array in features.items():
            expected = self.channels.setdefault(name, array.shape[1])
            if array.shape[1] != expected:
                raise UnusableFileError.of(
                    sample.file, f"`{name}` has {array.shape[1]} channels; expected {expected}, as in the others"
                )

    def _normalised(self, features: Dict[str, Features], frames: Mapping[str, Any]) -> Dict[str, Features]:
        if not self.stats:
            return features
        return {
            name: (array - self.stats[f"{name}_mean"]) / self.stats[f"{name}_std"] * frames[name][:, None]
            for name, array in features.items()
        }

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Return ``net_input`` with ``modalities`` (B, L, channels) and, always on the host, ``frames`` (B, L).

        ``target`` exists if the split has labels.
        """
        samples = [sample for sample in samples if sample["features"] is not None]
        if not samples:
            return {}
        ids = [sample["id"] for sample in samples]
        padded, frames = {}, {}
        for name in self.modalities:
            if any(name in sample["features"] for sample in samples):
                padded[name], frames[name] = _padded(samples, name)
        count = len(ids)
        net_input = {"modalities": padded, "frames": frames}
        batch = {"id": torch.tensor(ids), "net_input": net_input, "ntokens": count, "nsentences": count}
        if self.split.labels:
            batch["target"] = self.target.tensor([self.split.labels[index] for index in ids])
        return batch

    def batch_by_size(
        self,
        indices: Indices,
        max_tokens: Optional[int] = None,
        max_sentences: Optional[int] = None,
        required_batch_size_multiple: int = 1,
    ) -> List[Indices]:
        """Return batches in the given order; a small last one is kept.

        A batch has at most ``max_sentences`` and ``max_tokens`` samples, and at most ``max_edges`` edges, unless a
        single graph has more.
        """
        limit = min(max_sentences or len(self), max_tokens or len(self))
        batches: List[List[int]] = []
        edges = 0
        for index in indices.tolist():
            edges += int(self.edges[index])
            full = not batches or len(batches[-1]) >= limit or (self.max_edges and edges > self.max_edges)
            if full:
                batches.append([])
                edges = int(self.edges[index])
            batches[-1].append(index)
        return [np.array(batch, dtype=np.int64) for batch in batches]


def _padded(samples: List[Dict[str, Any]], name: str) -> Tuple[Tensor, NDArray[np.bool_]]:
    """Return a modality of a batch, padded with zeros at the end (B, L, channels), and which rows are frames (B, L)."""
    found = [sample["features"].get(name) for sample in samples]
    length = max(len(array) for array in found if array is not None)
    channels = next(array.shape[1] for array in found if array is not None)
    padded = np.zeros((len(found), length, channels), dtype=np.float32)
    frames = np.zeros((len(found), length), dtype=bool)
    for row, array in enumerate(found):
        if array is not None:
            padded[row, : len(array)] = array
            frames[row, : len(array)] = samples[row]["frames"][name]
    return torch.from_numpy(padded), frames
