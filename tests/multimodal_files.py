"""Small data sets of the layout that MulT's pickles have: padding on either side, gaps, -inf, a sample of nothing."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, Dict

import numpy as np

DIMS = {"vision": 4, "text": 6, "audio": 3}
LENGTHS = {"vision": 9, "text": 5, "audio": 8}
SAMPLES = {"train": 12, "valid": 6, "test": 5}


def mult_arrays(emotions: bool = False, seed: int = 0) -> Dict[str, Dict[str, Any]]:
    """Arrays by split; sample 1 of every split has no frame, sample 2 no vision."""
    rng = np.random.default_rng(seed)
    return {split: split_arrays(rng, count, emotions) for split, count in SAMPLES.items()}


def split_arrays(rng: np.random.Generator, count: int, emotions: bool) -> Dict[str, Any]:
    arrays: Dict[str, Any] = {}
    signs = rng.choice([-1.0, 1.0], count)
    for name, channels in DIMS.items():
        rows = rng.normal(size=(count, LENGTHS[name], channels)) + signs[:, None, None]
        for sample in range(count):
            padding = int(rng.integers(0, 3))
            rows[sample, LENGTHS[name] - padding :] = 0
        rows[0, 2] = 0  # a gap
        rows[1] = 0
        arrays[name] = rows.astype(np.float32)
    arrays["vision"][2] = 0
    arrays["audio"][0, 1, 0] = -np.inf
    arrays["text"][3, 0] = 0  # padding in front
    labels = np.where(signs > 0, 1, 0)
    if emotions:
        second = np.stack([labels, 1 - labels, labels, labels], axis=1)
        arrays["labels"] = np.stack([1 - second, second], axis=2).astype(np.float32)
    else:
        arrays["labels"] = (signs * rng.uniform(0.2, 3, count)).reshape(-1, 1, 1)
    arrays["id"] = np.array([[b"clip", b"%d" % sample, b"0"] for sample in range(count)])
    return arrays


def write_pickle(path: Path, emotions: bool = False, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(mult_arrays(emotions), protocol=protocol))
    return path
