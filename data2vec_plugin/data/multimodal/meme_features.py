"""Vectors of a split's memes by frozen encoders: made once, kept in a folder, and trained on."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...files.arrays import read_arrays, write_arrays
from ...files.unusable import UnusableFileError
from .memes import MemeDataset

logger = logging.getLogger(__name__)

Arrays = Dict[str, NDArray[Any]]
Encode = Callable[[Dict[str, Any]], Dict[str, Tensor]]
"""Maps the ``net_input`` of a batch to vectors (B, D) of each part."""
IDS = "ids"
PREFETCHED = 2


def features_of(dataset: MemeDataset, encode: Encode, batch: int = 32) -> Arrays:
    """Return vectors (N, D) of each part for the usable memes, in order, and the memes' indices as ``ids`` (N,).

    Raises UnusableFileError if no meme can be used.
    """
    found: List[Dict[str, Tensor]] = []
    ids: List[int] = []
    with ThreadPoolExecutor(PREFETCHED) as pool:
        for start in range(0, len(dataset), batch):
            rows = list(pool.map(dataset.__getitem__, range(start, min(start + batch, len(dataset)))))
            sample = dataset.collater(rows)
            if sample:
                ids += sample["id"].tolist()
                found.append({name: vectors.float().cpu() for name, vectors in encode(sample["net_input"]).items()})
    if not found:
        raise UnusableFileError.of(dataset.memes.path, "has no usable image")
    stacked = {name: torch.cat([each[name] for each in found]).numpy() for name in found[0]}
    return {IDS: np.array(ids, dtype=np.int64), **stacked}


def kept_features(folder: Path, name: str, make: Callable[[], Arrays], parts: Sequence[str]) -> Arrays:
    """Return the arrays of ``folder``/``name``.npz; if it lacks them, ``make`` them and save them there."""
    path = folder / f"{name}.npz"
    kept = _read(path, parts)
    if kept is not None:
        logger.info(f"{path}: features of {len(kept[IDS]):,} memes read from the cache")
        return kept
    made = make()
    try:
        write_arrays(path, made)
    except OSError as error:
        logger.warning(f"{path} cannot be written ({error.strerror}); features are computed again next time")
    return made


def _read(path: Path, parts: Sequence[str]) -> Optional[Arrays]:
    """Read saved arrays; return None if there are none, or if they are damaged, which is logged."""
    if not path.is_file():
        return None
    try:
        arrays = read_arrays(path)
        count = len(arrays[IDS])
        if all(len(arrays[part]) == count and np.isfinite(arrays[part]).all() for part in parts):
            return arrays
    except (UnusableFileError, KeyError) as error:
        logger.warning(f"{path} is damaged ({error}); features are computed again")
    return None


class MemeFeatureDataset(MemeDataset):
    """Memes as the vectors of frozen encoders; their pictures are not read again."""

    def __init__(self, dataset: MemeDataset, arrays: Arrays) -> None:
        super().__init__(dataset.memes, None, dataset.seed, dataset.shuffled, dataset.bad_files.limit)
        self.bad_files = dataset.bad_files
        self.rows = {int(number): row for row, number in enumerate(arrays[IDS])}
        self.parts = {name: torch.from_numpy(value) for name, value in arrays.items() if name != IDS}
        for index in sorted(set(range(len(self))) - set(self.rows)):
            self.bad_files.leave_out(index, "was unusable when features were computed")

    def __getitem__(self, index: int) -> Dict[str, Any]:
        """Return ``id`` and the ``row`` of its vectors, None for a skipped picture."""
        return {"id": index, "row": self.rows.get(index)}

    def collater(self, samples: List[Dict[str, Any]]) -> Dict[str, Any]:
        """Return ``net_input`` with ``features`` (B, D) of each part; empty if all were skipped."""
        samples = [sample for sample in samples if sample["row"] is not None]
        if not samples:
            return {}
        rows = torch.tensor([sample["row"] for sample in samples])
        features = {name: vectors[rows] for name, vectors in self.parts.items()}
        return self.batch([sample["id"] for sample in samples], {"features": features})
