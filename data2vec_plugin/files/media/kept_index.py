"""Indexes of archives, cached on the disk and used only if they match their archive's content."""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import read_arrays, write_arrays
from ..evenly_spaced import evenly_spaced
from ..names import FileNames
from ..opening import opened, size_of
from ..unusable import UnusableFileError
from .tar_index import TarIndex, read_index

logger = logging.getLogger(__name__)

LAYOUT = 2
"""Version of the cached index; with a new number, old ones are created again."""
LOOKED_AT = 64
"""Number of gaps between pictures to verify at a start; all of them if the file is not the indexed one."""
EDGE = 4096
"""Bytes compared at either end of a gap between two pictures, which holds headers and classes."""
SIGNED = 1 << 63
LARGEST_INDEX = 256 << 20

Marks = NDArray[np.int64]


def kept_index(path: Path, folder: Path) -> TarIndex:
    """Return the index of an archive, from ``folder`` if it matches the archive, else created and saved there.

    Raises :class:`UnusableFileError` for a file that is not a plain tar archive.
    """
    with opened(path) as file:
        stat = os.fstat(file.fileno())
        digest = hashlib.sha256(f"{LAYOUT} {path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
        kept = folder / f"{path.stem}-{digest}.npz"
        # a file of the same size and time may be another one: compare its inode and ctime
        stamp = np.array([stat.st_dev % SIGNED, stat.st_ino % SIGNED, stat.st_ctime_ns], dtype=np.int64)
        index = _load(kept, file, stamp)
        if index is None:
            logger.info(f"{path}: indexing its images")
            index = read_index(path)
            _save(index, marks(file, index, range(len(index.names) + 1)), stamp, kept)
    return index


def marks(file: BinaryIO, index: TarIndex, places: Iterable[int]) -> Marks:
    """Return checksums of the gaps before pictures i of an archive, for i in ``places``; N: after the last picture."""
    begins = [0, *(index.offsets + index.sizes).tolist()]
    ends = [*index.offsets.tolist(), size_of(file)]
    found = []
    for place in places:
        begin, end = begins[place], ends[place]
        file.seek(begin)
        sum_ = zlib.crc32(file.read(min(end - begin, EDGE)))
        rest = min(end - begin - EDGE, EDGE)
        if rest > 0:
            file.seek(end - rest)
            sum_ = zlib.crc32(file.read(rest), sum_)
        found.append(sum_)
    return np.array(found, dtype=np.int64)


def _load(kept: Path, file: BinaryIO, stamp: NDArray[np.int64]) -> Optional[TarIndex]:
    """The saved index, if it matches the archive; otherwise the reason is logged."""
    if not os.path.lexists(kept):
        return None
    try:
        index, known, of = _read(kept)
        fault = index.fault(size_of(file)) or _other_content(file, index, known, of.tolist() == stamp.tolist())
    except UnusableFileError as error:
        fault = error.fault
    if fault:
        logger.warning(f"{kept} cannot be used ({fault}) and is created again")
        return None
    if of.tolist() != stamp.tolist():
        _save(index, known, stamp, kept)
    return index


def _other_content(file: BinaryIO, index: TarIndex, known: Marks, same_file: bool) -> str:
    """Return why the archive is not the one that was indexed, or an empty string if it is."""
    count = len(index.names) + 1
    if len(known) != count:
        return "its arrays are of unequal length"
    places = evenly_spaced(count, LOOKED_AT) if same_file else np.arange(count)
    if (marks(file, index, places.tolist()) != known[places]).any():
        return "the content of the archive has changed since it was indexed, with the same size and time"
    return ""


def _read(kept: Path) -> Tuple[TarIndex, Marks, NDArray[np.int64]]:
    """A kept index, the checksums and the stamp of its archive; raises :class:`UnusableFileError`."""
    with opened(kept) as file:
        size = size_of(file)
    if size > LARGEST_INDEX:
        raise UnusableFileError.of(kept, f"has {size:,} bytes")
    found = read_arrays(kept, packed=False)
    try:
        index = TarIndex(
            _names(found["names"], found["name_ends"]),
            _numbers(found["offsets"]),
            _numbers(found["sizes"]),
            _names(found["classes"], found["class_ends"]),
        )
        return index, _numbers(found["marks"]), _numbers(found["stamp"])
    except (KeyError, ValueError, IndexError) as error:
        raise UnusableFileError.of(kept, f"is not an index ({error})") from error


def _numbers(array: NDArray[np.int64]) -> NDArray[np.int64]:
    if array.dtype != np.int64 or array.ndim != 1:
        raise ValueError(f"an array of {array.dtype} {array.shape}, expected a row of int64")
    return array


def _names(buffer: NDArray[np.uint8], ends: NDArray[np.int64]) -> FileNames:
    if buffer.dtype != np.uint8 or buffer.ndim != 1 or (np.diff(_numbers(ends), prepend=0) < 0).any():
        raise ValueError("name offsets that do not increase")
    if (int(ends[-1]) if len(ends) else 0) != len(buffer):
        raise ValueError("name offsets that do not end with the names")
    return FileNames.from_arrays(buffer, ends)


def _save(index: TarIndex, known: Marks, stamp: NDArray[np.int64], kept: Path) -> None:
    """Save an index; if the folder cannot be written, log this and continue without."""
    arrays: Dict[str, NDArray[Any]] = {
        "names": index.names.buffer,
        "name_ends": index.names.ends,
        "offsets": index.offsets,
        "sizes": index.sizes,
        "classes": index.classes.buffer,
        "class_ends": index.classes.ends,
        "marks": known,
        "stamp": stamp,
    }
    try:
        write_arrays(kept, arrays, durably=True)  # else a power cut may leave the name without the content
    except OSError as error:
        logger.warning(
            f"the index cannot be saved as {kept} ({error}), so the archives are indexed again at every start; set "
            "`+task.index_dir=FOLDER` to a writable folder"
        )
