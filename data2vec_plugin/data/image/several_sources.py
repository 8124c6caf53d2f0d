"""Images from several folders as one source."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from itertools import accumulate
from typing import List, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from .source import ImageSource


class SeveralSources:
    """The pictures of ``sources`` one after another, without classes."""

    classes: Optional[Sequence[str]] = None
    labels: Optional[NDArray[np.int64]] = None

    def __init__(self, sources: List[ImageSource]) -> None:
        self.sources = sources
        self.ends = list(accumulate(len(source) for source in sources))
        self.root = sources[0].root
        self.digest = hashlib.sha256("".join(source.digest for source in sources).encode()).hexdigest()[:12]

    def __len__(self) -> int:
        return self.ends[-1]

    def read(self, index: int) -> bytes:
        """An encoded picture."""
        source, place = self.place(index)
        return source.read(place)

    def name(self, index: int) -> str:
        """Where a picture is, for a message."""
        source, place = self.place(index)
        return source.name(place)

    def place(self, index: int) -> tuple[ImageSource, int]:
        """Return the source of a picture, and the picture's number in it."""
        number = bisect_right(self.ends, index)
        return self.sources[number], index - (self.ends[number - 1] if number else 0)

    def extent(self) -> tuple[int, str]:
        """Return the number of folders or archives that hold the pictures, and which of the two they are."""
        extents = [source.extent() for source in self.sources]
        return sum(parts for parts, _ in extents), extents[0][1]
