"""Evenly spaced items, for checks of many where a check of all takes too long."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def evenly_spaced(count: int, most: int) -> NDArray[np.int64]:
    """Indices of at most ``most`` of ``count`` items, ascending, the first and the last among them; all of fewer.

    >>> evenly_spaced(100, 4).tolist(), evenly_spaced(3, 4).tolist()
    ([0, 33, 66, 99], [0, 1, 2])
    """
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))
