"""Files of unaligned multimodal sequences: manifests of samples, their features, their labels.

``SPLIT.tsv`` has the features' folder in its first line, then ``id <TAB> file <TAB> frames of vision, text, audio``, 0
for a modality that is missing. A file is .npz, or .pt, with an array (frames, channels) for each that is there.
``SPLIT.label`` has a line for each sample: a number, or whole numbers separated by spaces.
"""

from __future__ import annotations

import hashlib
import math
import pickle
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

from data2vec_compat.safe_load import MALFORMED, ODD

from ..arrays import read_arrays
from ..opening import read_bytes
from ..text.text_lines import read_lines
from ..unusable import UnusableFileError
from ..writing import write_atomically

MODALITIES = ("vision", "text", "audio")
MANIFEST_LINE = "id<TAB>file<TAB>frames of vision<TAB>of text<TAB>of audio"
STATS = "stats.npz"
KINDS = ("mean", "std")
TORCH_ENDINGS = (".pt", ".pth")
Features = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """One line of a manifest; ``lengths`` are frames of vision, text and audio."""

    name: str
    file: Path
    lengths: Tuple[int, ...]
    line: int


def read_samples(path: Path) -> List[Sample]:
    """Read the samples of a manifest.

    Raises UnusableFileError, naming the line, for a manifest that is missing, empty or malformed.
    """
    lines = lines_of(path, "create one with `data2vec multimodal convert`, or set `task.data` to its folder")
    root = path.parent / Path(lines[0].strip()) if lines else path.parent
    samples = [_sample(path, root, number, line) for number, line in enumerate(lines[1:], start=2)]
    if not samples:
        raise UnusableFileError.of(path, f"lists no sample; expected a folder, then lines of {MANIFEST_LINE}")
    return samples


def _sample(path: Path, root: Path, number: int, line: str) -> Sample:
    fields = line.split("\t")
    if len(fields) != 2 + len(MODALITIES) or not all(field.isdigit() for field in fields[2:]):
        raise UnusableFileError.of(path, f"got {line!r}; expected {MANIFEST_LINE}", number)
    return Sample(fields[0], root / fields[1], tuple(map(int, fields[2:])), number)


def lines_of(path: Path, advice: str) -> List[str]:
    """Read the lines of a text file; raises UnusableFileError, with ``advice``, if it cannot be read."""
    try:
        return read_lines(path)
    except UnusableFileError as error:
        raise UnusableFileError.of(path, f"{error.fault}; {advice}", error.line) from error


def samples_digest(path: Path) -> str:
    """Twelve hexadecimal digits of a manifest's entries; its first line, the folder, may change."""
    return hashlib.sha256(read_bytes(path).partition(b"\n")[2]).hexdigest()[:12]


def read_numbers(path: Path, count: int, least: float, most: float) -> List[float]:
    """Read ``count`` labels from ``least`` to ``most``; raises UnusableFileError, naming the line, for others."""
    numbers = []
    for line, text in enumerate(_label_lines(path, count), start=1):
        try:
            value = float(text)
        except ValueError as error:
            raise UnusableFileError.of(path, f"got {text!r}; expected a number", line) from error
        if not (math.isfinite(value) and least <= value <= most):
            raise UnusableFileError.of(path, f"label {text} is out of range; expected {least:g} to {most:g}", line)
        numbers.append(value)
    return numbers


def read_classes(path: Path, count: int, targets: int, classes: int) -> List[List[int]]:
    """Read ``count`` labels of ``targets`` whole numbers below ``classes``; raises UnusableFileError for others."""
    found = []
    for line, text in enumerate(_label_lines(path, count), start=1):
        words = text.split()
        if len(words) != targets or not all(word.isdigit() and int(word) < classes for word in words):
            expected = f"{targets} of them" if targets > 1 else "one"
            raise UnusableFileError.of(
                path, f"label {text!r} is out of range; expected {expected}, each 0 to {classes - 1}", line
            )
        found.append([int(word) for word in words])
    return found


def _label_lines(path: Path, count: int) -> List[str]:
    lines = lines_of(path, "every sample needs a label")
    if len(lines) != count:
        raise UnusableFileError.of(path, f"has {len(lines)} lines, but the manifest next to it has {count} samples")
    return lines


def read_features(sample: Sample) -> Dict[str, Features]:
    """Read the features (frames, channels) of each modality that a sample has.

    Raises UnusableFileError if the file cannot be read, disagrees with its line in the manifest, or holds NaN or
    infinities, named by their index.
    """
    arrays = _arrays(sample.file)
    features = {}
    for modality, length in zip(MODALITIES, sample.lengths):
        array = np.asarray(arrays.get(modality, np.zeros((0, 0), np.float32)))
        if array.ndim != 2 or len(array) != length:
            raise UnusableFileError.of(
                sample.file,
                f"`{modality}` has shape {array.shape}; expected ({length}, channels), according to line "
                f"{sample.line} of the manifest",
            )
        if length:
            features[modality] = finite(array, sample.file, modality)
    return features


def finite(array: NDArray[Any], path: Path, name: str) -> Features:
    """Return an array as fp32; raises UnusableFileError for values that are not finite, naming the first's index."""
    if array.dtype.kind not in "fiu":
        raise UnusableFileError.of(path, f"`{name}` holds {array.dtype}; expected numbers")
    values = array.astype(np.float32)
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        place = tuple(int(index) for index in wrong[0])
        raise UnusableFileError.of(
            path,
            f"`{name}` is {values[place]} at index {list(place)}, and {len(wrong) - 1:,} more values are not finite; "
            "expected finite features",
        )
    return values


def _arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    return _torch_arrays(path) if path.suffix in TORCH_ENDINGS else read_arrays(path)


def _torch_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    import torch

    content = read_bytes(path)
    try:
        loaded = torch.load(BytesIO(content), map_location="cpu", weights_only=True)
        return {name: value.numpy() for name, value in loaded.items()}
    except (OSError, pickle.UnpicklingError, *ODD, *MALFORMED) as error:
        raise UnusableFileError.of(path, f"cannot be read ({error}); expected a dict of {_names()}") from error


def _names() -> str:
    return "arrays " + ", ".join(MODALITIES)


def read_stats(folder: Path, modalities: Sequence[str]) -> Dict[str, Features]:
    """Read mean and deviation (channels,) of each modality; raises UnusableFileError if one is missing."""
    path = folder / STATS
    try:
        arrays = read_arrays(path)
        return {f"{name}_{kind}": finite(arrays[f"{name}_{kind}"], path, name) for name in modalities for kind in KINDS}
    except (UnusableFileError, KeyError) as error:
        raise UnusableFileError.of(
            path,
            f"cannot be used ({error}); `task.normalize` requires mean and deviation of {', '.join(modalities)}, which "
            "are written together with a split named train; write it, or set `task.normalize=false`",
        ) from error


def write_samples(path: Path, root: str, rows: Sequence[Tuple[str, str, Sequence[int]]]) -> None:
    """Write a manifest; ``rows`` are id, file below ``root``, and frames of vision, text and audio."""
    lines = ["\t".join([name, file, *map(str, lengths)]) for name, file, lengths in rows]
    write_atomically(path, "\n".join([root, *lines]) + "\n")
