"""Where the pictures lie in a tar archive of WebDataset's layout, found once and kept.

Such an archive holds the files of a sample one after another, under one key: `KEY.jpg`, `KEY.cls`.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tarfile
import zipfile
from array import array
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from ...files.names import FileNames
from .source import ENDINGS, ImageSourceError

logger = logging.getLogger(__name__)

LAYOUT = 1
"""Of the kept index; another number makes old ones be written anew."""
CLASS = ".cls"


@dataclass(frozen=True)
class ShardIndex:
    """The N pictures of an archive: ``names`` of its members, where their bytes begin and how many there are.

    ``classes`` are what their `.cls` says, empty where there is none.
    """

    names: FileNames
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    classes: FileNames


def shard_index(path: Path, folder: Path) -> ShardIndex:
    """The index of an archive, out of ``folder`` if it is of this archive as it is now, else made and kept there.

    Raises :class:`ImageSourceError` for a file that is no plain tar archive.
    """
    stat = path.stat()
    digest = hashlib.sha256(f"{LAYOUT} {path.name} {stat.st_size} {stat.st_mtime_ns}".encode()).hexdigest()[:12]
    kept = folder / f"{path.stem}-{digest}.npz"
    index = _load(kept)
    if index is None:
        logger.info(f"{path}: looking for its pictures")
        index = read_index(path)
        _save(index, kept)
    return index


def read_index(path: Path) -> ShardIndex:
    """Go through an archive from header to header; the pictures themselves are passed over."""
    names: List[bytes] = []
    classes: List[bytes] = []
    offsets, sizes = array("q"), array("q")
    try:
        with tarfile.open(path, "r:") as tar:
            for key, members in groupby(_members(tar), lambda member: sample_key(member.name)[0]):
                picture, label = _parts(path, tar, key, members)
                if picture is not None:
                    names.append(os.fsencode(picture.name))
                    offsets.append(picture.offset_data)
                    sizes.append(picture.size)
                    classes.append(label)
            _check_end(path, tar.offset)
    except (tarfile.TarError, EOFError) as error:
        raise ImageSourceError(
            f"{path} is no whole tar archive: {error}. Write it again, not compressed, since a compressed one cannot "
            f"be read out of order"
        ) from error
    return ShardIndex(FileNames(names), np.array(offsets), np.array(sizes), FileNames(classes))


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Files of an archive, one at a time; hidden ones are passed over."""
    for member in iter(tar.next, None):
        tar.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
        if member.isfile() and not os.path.basename(member.name).startswith("."):
            yield member


def _check_end(path: Path, offset: int) -> None:
    """Raise EOFError unless zeros are all that follows; tarfile takes whatever is no header for the end."""
    with path.open("rb") as file:
        file.seek(offset)
        rest = file.read(1 << 16)
    if len(rest) < tarfile.BLOCKSIZE or rest.strip(b"\0"):
        raise EOFError("it does not end as one")


def sample_key(name: str) -> Tuple[str, str]:
    """A member's key, which is its path up to the first dot of its last part, and its ending in small letters.

    >>> sample_key("n01/0.5.JPG")
    ('n01/0', '.5.jpg')
    """
    folder, base = os.path.split(name)
    stem, dot, ending = base.partition(".")
    return os.path.join(folder, stem), (dot + ending).lower()


def _parts(
    path: Path, tar: tarfile.TarFile, key: str, members: Iterator[tarfile.TarInfo]
) -> Tuple[Optional[tarfile.TarInfo], bytes]:
    """The picture of a sample, None if it has none, and its class."""
    picture: Optional[tarfile.TarInfo] = None
    label = b""
    for member in members:
        ending = sample_key(member.name)[1]
        if ending == CLASS:
            content = tar.extractfile(member)
            label = content.read().strip() if content is not None else b""
        elif ending in ENDINGS:
            if picture is not None:
                raise ImageSourceError(
                    f"{path}: sample {key} has two pictures, {picture.name} and {member.name}; expected one, "
                    f"and a key for every sample"
                )
            picture = member
    return picture, label


def _load(kept: Path) -> Optional[ShardIndex]:
    if not kept.is_file():
        return None
    try:
        with np.load(kept, allow_pickle=False) as arrays:
            return ShardIndex(
                FileNames.from_arrays(arrays["names"], arrays["name_ends"]),
                arrays["offsets"],
                arrays["sizes"],
                FileNames.from_arrays(arrays["classes"], arrays["class_ends"]),
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        logger.warning(f"{kept} cannot be read ({error}); it is made anew")
        return None


def _save(index: ShardIndex, kept: Path) -> None:
    """Keep an index; where that is not allowed, say so and go on without."""
    own = kept.with_name(f"{kept.stem}.{os.getpid()}.npz")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            own,
            names=index.names.buffer,
            name_ends=index.names.ends,
            offsets=index.offsets,
            sizes=index.sizes,
            classes=index.classes.buffer,
            class_ends=index.classes.ends,
        )
        own.replace(kept)
    except OSError as error:
        logger.warning(
            f"the index cannot be kept as {kept} ({error}), so every start looks through the archives again; "
            f"set `+task.index_dir=FOLDER` to one that may be written"
        )
