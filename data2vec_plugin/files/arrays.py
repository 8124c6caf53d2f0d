"""The only reader and writer of NumPy's archives (.npz): arrays by name, none of them of objects."""

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
    """Read arrays by name, compressed ones only if ``packed``; raises :class:`UnusableFileError` for other files."""
    content = io.BytesIO(read_bytes(path))
    try:
        _check_sizes(path, content, packed)
        with np.load(content, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (UnusableFileError, ImportError, RecursionError):
        raise
    except Exception as error:  # zipfile and NumPy raise many kinds of errors for malformed files
        reason = str(error) or type(error).__name__
        raise UnusableFileError.of(path, f"cannot be read ({reason}); expected NumPy's .npz") from error


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], durably: bool = False) -> None:
    """Write arrays, whole or not at all; ``durably`` as in :func:`.writing.replacing`."""
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
