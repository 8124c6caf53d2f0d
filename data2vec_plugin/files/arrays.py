"""The one reader and writer of NumPy's archives (.npz): arrays by name, none of them an object."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any, Dict, Mapping, Union

import numpy as np
from numpy.typing import NDArray

from .opening import read_bytes, said_size
from .unusable import UnusableFileError
from .writing import replacing

LARGEST = 1 << 30
"""Bytes that the arrays of one file may have; a packed file of a megabyte can claim a thousand times as much."""


def read_arrays(path: Union[str, os.PathLike[str]], packed: bool = True) -> Dict[str, NDArray[Any]]:
    """The arrays of a file, ``packed`` ones too; raises :class:`UnusableFileError` for anything else."""
    content = io.BytesIO(read_bytes(path))
    try:
        _check_sizes(path, content, packed)
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (UnusableFileError, ImportError, RecursionError):
        raise
    except Exception as error:  # zip and NumPy let out many kinds where a file is not what it says
        reason = str(error) or type(error).__name__
        raise UnusableFileError.of(path, f"cannot be read ({reason}); expected NumPy's .npz") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], durably: bool = False) -> None:
    """Write arrays, whole or not at all; ``durably`` as :func:`.writing.replacing` has it."""
    save: Any = np.savez  # its keyword arguments would be mistaken for the arrays' types
    with replacing(path, durably) as part, part.open("wb") as file:
        save(file, **arrays)


def _check_sizes(path: Union[str, os.PathLike[str]], content: io.BytesIO, packed: bool) -> None:
    with zipfile.ZipFile(content) as archive:
        entries = archive.infolist()
    content.seek(0)
    small = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if small and not packed:
        raise UnusableFileError.of(path, f"{small[0]} is compressed")
    claimed = sum(entry.file_size for entry in entries)
    if claimed > LARGEST:
        raise UnusableFileError.of(
            path, f"claims to hold {said_size(claimed)} of arrays; expected at most {said_size(LARGEST)}"
        )
