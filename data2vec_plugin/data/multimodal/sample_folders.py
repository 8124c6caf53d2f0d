"""Folders of samples as the task reads them: SPLIT.tsv, SPLIT.label, features below, statistics of training frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.arrays import write_arrays
from ...files.multimodal.sequences import MODALITIES, write_samples
from ...files.writing import write_atomically

FEATURES = "features"
TRAIN = "train"


@dataclass
class Moments:
    """Sums over frames of each modality, for mean and standard deviation."""

    sums: Dict[str, List[Any]] = field(default_factory=dict)

    def add(self, features: Mapping[str, NDArray[np.float32]]) -> None:
        """Add the frames (frames, channels) of a sample."""
        for modality, array in features.items():
            rows = array.astype(np.float64)
            found = self.sums.setdefault(modality, [0, 0.0, 0.0])
            self.sums[modality] = [found[0] + len(rows), found[1] + rows.sum(0), found[2] + (rows**2).sum(0)]

    def save(self, path: Path) -> None:
        """Write ``{modality}_mean`` and ``{modality}_std``, (channels,) each; a constant channel has deviation 1."""
        arrays = {}
        for modality, (count, total, squares) in self.sums.items():
            mean = total / count
            deviation = np.sqrt(np.maximum(squares / count - mean**2, 0))
            arrays[f"{modality}_mean"] = mean.astype(np.float32)
            arrays[f"{modality}_std"] = np.where(deviation > 0, deviation, 1).astype(np.float32)
        write_arrays(path, arrays)


@dataclass
class SplitWriter:
    """Writes a split sample by sample; a sample without frames is dropped, with its label.

    ``moments`` collects the frames of the split named train.
    """

    out: Path
    split: str
    moments: Moments
    rows: List[Tuple[str, str, Sequence[int]]] = field(default_factory=list)
    labels: List[Optional[str]] = field(default_factory=list)
    dropped: List[str] = field(default_factory=list)

    def add(self, number: int, name: str, features: Mapping[str, NDArray[np.float32]], label: Optional[str]) -> None:
        """Write the features (frames, channels) of a sample; a modality that it lacks has no frame, or no entry."""
        features = {modality: array for modality, array in features.items() if len(array)}
        if not features:
            self.dropped.append(name)
            return
        file = f"{self.split}/{number:06d}.npz"
        write_arrays(self.out / FEATURES / file, features)
        if self.split == TRAIN:
            self.moments.add(features)
        self.rows.append((name, file, [len(features.get(modality, ())) for modality in MODALITIES]))
        self.labels.append(label)

    def finish(self) -> None:
        """Write the manifest, and the labels where every sample has one."""
        write_samples(self.out / f"{self.split}.tsv", FEATURES, self.rows)
        if None not in self.labels:
            write_atomically(self.out / f"{self.split}.label", "".join(f"{label}\n" for label in self.labels))

    def dropped_summary(self) -> str:
        """Describe how many samples were dropped, of how many."""
        count = len(self.dropped)
        return f"{count} of {count + len(self.rows)} samples, because they have no frames, and labels"
