"""Many file names without many Python objects."""

from __future__ import annotations

from array import array
from typing import Iterable

import numpy as np
from numpy.typing import NDArray


class FileName(bytes):
    """An encoded name as fairseq's audio data set expects it of an array."""

    def as_py(self) -> bytes:
        """The plain bytes."""
        return bytes(self)


class FileNames:
    """An immutable sequence of encoded names in one buffer.

    A list of 300,000 strings is copied page by page into every forked loader worker, because reading a string
    writes its reference count; a NumPy buffer stays shared.

    >>> FileNames([b"a.flac", b"b/c.flac"])[1]
    b'b/c.flac'
    """

    def __init__(self, names: Iterable[bytes]) -> None:
        buffer, ends = bytearray(), array("q")
        for name in names:  # one at a time: a list of them all would be several times as large
            buffer += name
            ends.append(len(buffer))
        self.buffer: NDArray[np.uint8] = np.array(buffer, dtype=np.uint8)
        self.ends: NDArray[np.int64] = np.array(ends, dtype=np.int64)

    @classmethod
    def from_arrays(cls, buffer: NDArray[np.uint8], ends: NDArray[np.int64]) -> FileNames:
        """The names that another object's ``buffer`` and ``ends`` hold."""
        names = cls(())
        names.buffer, names.ends = buffer, ends
        return names

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> FileName:
        end = int(self.ends[index])  # raises IndexError as a list would
        begin = int(self.ends[index - 1]) if index % len(self) else 0
        return FileName(self.buffer[begin:end].tobytes())
