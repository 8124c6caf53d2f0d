"""Pickles of CMU-MOSI, CMU-MOSEI and IEMOCAP as they were published with MulT, read without running code in them.

``{split: {"vision": (N, L, F), "text": …, "audio": …, "labels": …, "id": …}}``, padded with rows of zeros at the
beginning or the end.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar, Dict, Mapping, Tuple, Type

import numpy as np
from numpy.typing import NDArray

from data2vec_compat.allowed import allowed_globals
from data2vec_compat.safe_load import MALFORMED, ODD
from data2vec_compat.unpickler import RestrictedUnpickler, encode_latin1

from ..opening import opened
from ..unusable import UnusableFileError
from .sequences import MODALITIES

SPLITS = ("train", "valid", "test")
Arrays = Dict[str, NDArray[Any]]


def read_mult_pickle(path: Path) -> Dict[str, Arrays]:
    """Read the arrays of each split; raises UnusableFileError for another file, or one that would run code."""
    try:
        with opened(path) as file:
            loaded = _unpickler()(file, encoding="latin1").load()
    except UnusableFileError:
        raise
    except pickle.UnpicklingError as error:
        raise UnusableFileError.of(
            path, f"refused ({error}): only NumPy arrays are allowed, and loading it could run code"
        ) from error
    except (*ODD, *MALFORMED) as error:
        raise UnusableFileError.of(path, f"is not a pickle, or damaged ({error})") from error
    if not isinstance(loaded, Mapping) or not set(SPLITS) & set(loaded):
        raise UnusableFileError.of(path, f"holds {_described(loaded)}; expected a dict of {', '.join(SPLITS)}")
    return {split: _checked(path, split, loaded[split]) for split in SPLITS if split in loaded}


def _unpickler() -> Type[RestrictedUnpickler]:
    """Return an unpickler that allows only what NumPy's pickled arrays need."""
    entries = {name: found for found, name in allowed_globals() if name.startswith("numpy.")}
    kinds = {type(np.dtype(code)) for code in ("S", "U", "O")}

    class NumPyUnpickler(RestrictedUnpickler):
        allowed: ClassVar[Dict[str, Any]] = {
            **entries,
            **{f"numpy.dtypes.{kind.__name__}": kind for kind in kinds},
            "_codecs.encode": encode_latin1,
        }

    return NumPyUnpickler


def _checked(path: Path, split: str, found: Any) -> Arrays:
    """A split's arrays; raises UnusableFileError unless features and labels are there, one of each for every sample."""
    if not isinstance(found, Mapping):
        raise UnusableFileError.of(path, f"`{split}` is {_described(found)}; expected a dict of arrays")
    arrays = {str(name): np.asarray(value) for name, value in found.items()}
    for name in (*MODALITIES, "labels"):
        if name not in arrays:
            raise UnusableFileError.of(path, f"`{split}` has {', '.join(arrays)}; expected {name}, too")
    samples = len(arrays["labels"])
    for name in MODALITIES:
        shape = arrays[name].shape
        if len(shape) != 3 or shape[0] != samples:
            raise UnusableFileError.of(
                path, f"`{split}`, `{name}` has shape {shape}; expected ({samples}, frames, channels)"
            )
    return arrays


def labels_of(path: Path, split: str, labels: NDArray[Any]) -> Tuple[str, NDArray[Any]]:
    """Return the kind of labels and the labels: ``regression`` (N,), or ``emotions`` (N, emotions), each pair's second.

    Raises UnusableFileError for another layout.
    """
    if labels.ndim == 3 and labels.shape[2] == 2:
        return "emotions", labels[:, :, 1].astype(np.int64)
    if labels.size == len(labels):
        return "regression", labels.reshape(-1).astype(np.float64)
    raise UnusableFileError.of(
        path, f"`{split}`, `labels` has shape {labels.shape}; expected (N, 1, 1) numbers, or (N, emotions, 2)"
    )


def _described(value: Any) -> str:
    return f"a dict of {', '.join(map(str, list(value)[:5]))}" if isinstance(value, Mapping) else type(value).__name__
