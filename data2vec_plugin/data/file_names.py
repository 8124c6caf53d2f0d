"""Many file names without many Python objects."""

from __future__ import annotations

from typing import Iterable, List

import numpy as np


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
        encoded: List[bytes] = list(names)
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)
        self._buffer = np.frombuffer(b"".join(encoded), dtype=np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> FileName:
        end = int(self._ends[index])  # raises IndexError as a list would
        begin = int(self._ends[index - 1]) if index % len(self) else 0
        return FileName(self._buffer[begin:end].tobytes())
