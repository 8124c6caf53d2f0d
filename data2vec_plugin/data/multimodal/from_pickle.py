"""From the published pickles to our folders: padding goes, gaps stay, samples without a frame are dropped."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.arrays import write_arrays
from ...files.locks import writing
from ...files.multimodal.mult_pickle import Arrays, labels_of, read_mult_pickle
from ...files.multimodal.sequences import MODALITIES, STATS, finite, write_samples
from ...files.unusable import UnusableFileError
from ...files.writing import write_atomically

logger = logging.getLogger(__name__)

FEATURES = "features"


@dataclass
class Moments:
    """Sums over frames of each modality, for mean and standard deviation."""

    sums: Dict[str, List[Any]] = field(default_factory=dict)

    def add(self, features: Mapping[str, NDArray[np.float32]]) -> None:
        """Count the frames of a sample."""
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


def convert_pickle(path: Path, out: Path, keep_padding: bool = False) -> Dict[str, Tuple[int, int]]:
    """Write every split of a pickle to ``out``; how many samples each has, and how many were dropped.

    A frame's position is its row, so that padding in front would shift it: it is cut off, unless ``keep_padding``. Rows
    of zeros between frames stay, as gaps in time. -inf, which COVAREP's features of silence hold, becomes 0. Raises
    UnusableFileError for NaN, with its place, and for what is no such pickle.
    """
    splits = read_mult_pickle(path)
    moments, counts = Moments(), {}
    with writing(out):
        for split, arrays in splits.items():
            counts[split] = _write_split(path, out, split, arrays, keep_padding, moments)
        moments.save(out / STATS)
    return counts


def _write_split(
    path: Path, out: Path, split: str, arrays: Arrays, keep_padding: bool, moments: Moments
) -> Tuple[int, int]:
    _, labels = labels_of(path, split, arrays["labels"])
    folder = out / FEATURES / split
    folder.mkdir(parents=True, exist_ok=True)
    rows: List[Tuple[str, str, Sequence[int]]] = []
    kept: List[str] = []
    for number, label in enumerate(labels):
        features = {
            modality: _frames(path, f"{split}, {modality}, sample {number}", arrays[modality][number], keep_padding)
            for modality in MODALITIES
        }
        features = {modality: array for modality, array in features.items() if len(array)}
        if not features:
            continue
        write_arrays(folder / f"{number:06d}.npz", features)
        if split == "train":
            moments.add(features)
        lengths = [len(features.get(modality, ())) for modality in MODALITIES]
        rows.append((_name(arrays, number), f"{split}/{number:06d}.npz", lengths))
        kept.append(" ".join(f"{value}" for value in np.atleast_1d(label).tolist()))
    if not rows:
        raise UnusableFileError.of(path, f"`{split}` has no sample with a frame")
    write_samples(out / f"{split}.tsv", FEATURES, rows)
    write_atomically(out / f"{split}.label", "\n".join(kept) + "\n")
    dropped = len(labels) - len(rows)
    if dropped:
        logger.warning(f"{path}, {split}: dropped {dropped} of {len(labels)} samples, which have no frame, and labels")
    return len(rows), dropped


def _frames(path: Path, name: str, padded: NDArray[Any], keep_padding: bool) -> NDArray[np.float32]:
    """A sample's rows (frames, channels) without padding; nothing where all is padding."""
    features = finite(np.where(np.isneginf(padded), 0, padded), path, name)
    found = np.flatnonzero(np.abs(features).sum(1))
    if not len(found):
        return features[:0]
    return features if keep_padding else features[found[0] : found[-1] + 1]


def _name(arrays: Arrays, number: int) -> str:
    """A sample's own name, or its number."""
    if "id" not in arrays:
        return f"{number}"
    parts = np.atleast_1d(arrays["id"][number]).ravel().tolist()
    words = [part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in parts]
    return "_".join(" ".join(word.split()) for word in words)
