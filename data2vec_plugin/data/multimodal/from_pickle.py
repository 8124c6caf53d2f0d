"""Converts the published pickles to our folders: removes padding, keeps gaps, drops samples without frames."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.locks import writing
from ...files.multimodal.mult_pickle import Arrays, labels_of, read_mult_pickle
from ...files.multimodal.sequences import MODALITIES, STATS, finite
from ...files.unusable import UnusableFileError
from .sample_folders import Moments, SplitWriter

logger = logging.getLogger(__name__)


def convert_pickle(path: Path, out: Path, keep_padding: bool = False) -> Dict[str, Tuple[int, int]]:
    """Write every split of a pickle to ``out``; returns the numbers of written and dropped samples of each.

    The position of a frame is its row, so leading padding would shift it: it is removed, unless ``keep_padding``. Rows
    of zeros between frames stay, as gaps in time. -inf, which COVAREP's features of silence hold, becomes 0. Raises
    UnusableFileError for NaN, with its index, and for other kinds of files.
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
    written = SplitWriter(out, split, moments)
    for number, label in enumerate(labels):
        features = {
            modality: _frames(path, f"{split}, {modality}, sample {number}", arrays[modality][number], keep_padding)
            for modality in MODALITIES
        }
        written.add(number, _name(arrays, number), features, " ".join(f"{v}" for v in np.atleast_1d(label).tolist()))
    if not written.rows:
        raise UnusableFileError.of(path, f"`{split}` has no sample with a frame")
    written.finish()
    if written.dropped:
        logger.warning(f"{path}, {split}: dropped {written.dropped_summary()}")
    return len(written.rows), len(written.dropped)


def _frames(path: Path, name: str, padded: NDArray[Any], keep_padding: bool) -> NDArray[np.float32]:
    """Return a sample's rows (frames, channels) without padding; no rows if all are padding."""
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
