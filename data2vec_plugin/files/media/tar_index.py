"""Positions of the pictures in a tar archive of WebDataset's layout, from its headers, which are all checked.

Such an archive holds the files of a sample one after another, under one key: `KEY.jpg`, `KEY.cls`.
"""

from __future__ import annotations

import os
import tarfile
from array import array
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, Iterator, List, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from ..names import FileNames
from ..opening import opened, read_part, said_size, size_of
from ..unusable import UnusableFileError
from .pictures import ENDINGS, LARGEST_FILE

CLASS = ".cls"
LONGEST_CLASS = 4096
"""Bytes of a `.cls`: a number or a name."""
LONGEST_HEADER = 1 << 20
"""Bytes that the headers of one member may take, with the extended ones that hold long names."""


@dataclass(frozen=True)
class TarIndex:
    """The N pictures of an archive: ``names`` of its members, where their bytes begin and how many there are.

    ``classes`` are what their `.cls` says, empty where there is none.
    """

    names: FileNames
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    classes: FileNames

    def fault(self, archive_size: int) -> str:
        """Return why this cannot be the index of an archive of ``archive_size`` bytes, or an empty string."""
        count = len(self.names)
        if not (len(self.offsets) == len(self.sizes) == len(self.classes) == count):
            return "its arrays are of unequal length"
        begins, ends = self.offsets, self.offsets + self.sizes
        # a sum that is too large for 64 bits comes out negative
        if count and not (begins.min() >= 0 and self.sizes.min() >= 0 and (begins <= ends).all()):
            return "it holds negative offsets"
        if count and not ((begins[1:] >= ends[:-1]).all() and ends[-1] <= archive_size):
            return "it holds offsets outside the archive"
        return ""


def read_index(path: Path) -> TarIndex:
    """Go through an archive from header to header, skipping the images themselves.

    Raises :class:`UnusableFileError` if it is not a complete, uncompressed tar archive, and for an unusable member.
    """
    names: List[bytes] = []
    classes: List[bytes] = []
    offsets, sizes = array("q"), array("q")
    with opened(path) as file:
        members = _Members(path, file)
        for key, parts in groupby(members, lambda member: sample_key(member.name)[0]):
            picture, label = _parts(path, key, parts)
            if picture is not None:
                names.append(os.fsencode(picture.name))
                offsets.append(picture.offset_data)
                sizes.append(picture.size)
                classes.append(label)
    return TarIndex(FileNames(names), np.array(offsets), np.array(sizes), FileNames(classes))


def sample_key(name: str) -> Tuple[str, str]:
    """Return a member's key, its path up to the first dot of its file name, and its ending in lower case.

    >>> sample_key("n01/0.5.JPG")
    ('n01/0', '.5.jpg')
    """
    folder, base = os.path.split(name)
    stem, dot, ending = base.partition(".")
    return os.path.join(folder, stem), (dot + ending).lower()


class _Headers:
    """An archive as read by tarfile: only its headers, with a limit on their length."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.left = LONGEST_HEADER
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        """Read a part of a header; raises tarfile.ReadError beyond the limit."""
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"the headers of a member are longer than {said_size(LONGEST_HEADER)}")
        return self.file.read(size)


class _Members:
    """The files of an archive, one at a time; hidden ones are skipped."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self.size = size_of(file)
        self.headers = _Headers(file)

    def __iter__(self) -> Iterator[tarfile.TarInfo]:
        tar = self._open()
        end = 0
        while (member := self._next(tar)) is not None:
            tar.members = []  # type: ignore[attr-defined]  # tarfile would keep them all
            self._check(member, end, tar.offset)
            end = tar.offset
            if member.isfile() and not os.path.basename(member.name).startswith("."):
                yield member
        self._check_end(tar.offset)

    def _open(self) -> tarfile.TarFile:
        try:
            return tarfile.TarFile(fileobj=self.headers, ignore_zeros=False)  # type: ignore[arg-type]
        except (tarfile.TarError, EOFError) as error:
            raise self._broken(error) from error
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # tarfile raises many kinds of errors for malformed headers
            raise self._broken(f"a header that cannot be read ({error})") from error

    def _next(self, tar: tarfile.TarFile) -> Optional[tarfile.TarInfo]:
        """Read the next member; only tarfile runs within the ``try``, since it raises many kinds of errors."""
        self.headers.left = LONGEST_HEADER
        try:
            return tar.next()
        except (ImportError, MemoryError):
            raise
        except (tarfile.TarError, EOFError) as error:
            raise self._broken(error) from error
        except Exception as error:
            raise self._broken(f"a header that cannot be read ({error})") from error

    def _check(self, member: tarfile.TarInfo, end: int, following: int) -> None:
        """Refuse a member whose size cannot be true, which might lead in circles, or that is stored sparse."""
        if member.size < 0 or member.offset < end or following <= member.offset:
            raise self._broken(f"{member.name} claims {member.size:,} bytes")
        if member.isfile() and member.issparse():
            raise UnusableFileError.of(self.path, f"{member.name} is stored sparse; write the archive without --sparse")
        if member.isfile() and member.offset_data + member.size > self.size:
            raise self._broken(f"{member.name} claims {member.size:,} bytes, but the archive has {self.size:,}")

    def _check_end(self, offset: int) -> None:
        """Refuse archives whose end is not followed by zeros only; tarfile treats any invalid header as the end."""
        rest = read_part(self.path, offset, max(0, min(self.size - offset, 1 << 16)))
        if len(rest) < tarfile.BLOCKSIZE or rest.strip(b"\0"):
            raise self._broken("its end is missing")

    def _broken(self, fault: object) -> UnusableFileError:
        return UnusableFileError.of(
            self.path,
            f"is not a complete tar archive: {fault}. Write it again, uncompressed: compressed archives do not allow "
            "random access",
        )


def _parts(path: Path, key: str, members: Iterator[tarfile.TarInfo]) -> Tuple[Optional[tarfile.TarInfo], bytes]:
    """Return the picture of a sample, None if it has none, and its class, empty if it has none."""
    picture: Optional[tarfile.TarInfo] = None
    label = b""
    for member in members:
        ending = sample_key(member.name)[1]
        limit = {CLASS: LONGEST_CLASS}.get(ending, LARGEST_FILE if ending in ENDINGS else member.size)
        if member.size > limit:
            raise UnusableFileError.of(
                path, f"{member.name} has {said_size(member.size)}; expected at most {said_size(limit)}"
            )
        if ending == CLASS:
            label = read_part(path, member.offset_data, member.size).strip()
        elif ending in ENDINGS:
            if picture is not None:
                raise UnusableFileError.of(
                    path,
                    f"sample {key} has two images, {picture.name} and {member.name}; expected one image per key",
                )
            picture = member
    return picture, label
