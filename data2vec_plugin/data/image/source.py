"""The protocol of all sources of pictures, whatever holds them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Optional, Protocol, Sequence

import numpy as np
from numpy.typing import NDArray

from ...files.names import FileNames
from ...files.unusable import UnusableFileError

NAMED = "SPLIT-NUMBER.tar, such as train-000000.tar"
"""The names of archives, for messages."""
PROGRESS = 100_000
"""The number of images listed between two lines of the log."""


class ImageSourceError(UnusableFileError):
    """A folder or an archive that cannot be trained on; the message names it."""


class ImageSource(Protocol):
    """Encoded pictures by number, always in the same order.

    ``labels`` (N,) is None unless requested; ``classes`` holds their sorted names, or None if there are none.
    """

    root: Path
    digest: str
    classes: Optional[Sequence[str]]
    labels: Optional[NDArray[np.int64]]

    def __len__(self) -> int:
        """How many pictures there are."""

    def read(self, index: int) -> bytes:
        """An encoded picture; raises :class:`UnusableFileError` if it is missing or truncated."""

    def name(self, index: int) -> str:
        """Where a picture is, for a message."""

    def extent(self) -> tuple[int, str]:
        """Return the number of folders or archives that hold the pictures, and which of the two they are."""


def source_digest(names: FileNames, labels: Optional[NDArray[np.int64]]) -> str:
    """Twelve hexadecimal digits of the pictures' names and labels, not of the folder, which may move."""
    digest = hashlib.sha256(names.buffer.tobytes())
    digest.update(names.ends.tobytes())
    if labels is not None:
        digest.update(labels.tobytes())
    return digest.hexdigest()[:12]
