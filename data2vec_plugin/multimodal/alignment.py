"""Pseudo-alignment: the part of a longer sequence that is PRESENT for a frame of a shorter one (MTAG, section 3.2)."""

from __future__ import annotations

from typing import Tuple

import numpy as np
from numpy.typing import NDArray

PRESENT, PAST, FUTURE = range(3)
"""Time relations of an edge; FUTURE: its source is earlier than its target."""

Relations = NDArray[np.int8]


def windows(short: int, long: int) -> Tuple[NDArray[np.int64], int]:
    """Start of the window of each of ``short`` frames in a sequence of ``long``, and the common width of the windows.

    The rule is that of the published code, in integers: windows overlap because the paper rounds their width up, and
    the last one ends with the sequence. Raises ValueError unless 1 <= ``short`` <= ``long``.

    >>> windows(3, 8)
    (array([0, 2, 4]), 4)
    """
    if not 1 <= short <= long:
        raise ValueError(f"windows of {short} frames in {long}; expected from 1 to {long} windows")
    frames = np.arange(short)
    if short == 1:
        return frames, long
    if long // short >= 2:
        stride = max((long // (short - 1) + 1) // 2, 2)
        return frames * stride, long - (short - 1) * stride
    if short == long:
        return np.minimum(frames, long - 2), 2
    spare = long - short
    return np.where(frames < spare, 2 * frames, frames + spare - 1), 2


def time_relations(short: int, long: int) -> Relations:
    """Relation of every edge from a shorter sequence to a longer one, (``short``, ``long``)."""
    if short == 0:
        return np.zeros((0, long), dtype=np.int8)
    starts, width = windows(short, long)
    places, first = np.arange(long), starts[:, None]
    relations = np.where(places < first, PAST, np.where(places < first + width, PRESENT, FUTURE))
    return relations.astype(np.int8)


def reversed_edges(relations: Relations) -> Relations:
    """The relations of the reversed edges: past and future are exchanged."""
    return np.array([PRESENT, FUTURE, PAST], dtype=np.int8)[relations]


def chain_relations(length: int, all_to_all: bool) -> Relations:
    """Relations within one sequence, (source, target), -1 where there is no edge.

    Every frame has a self-loop and edges to and from its neighbours, or with ``all_to_all`` to all others.
    """
    distance = np.arange(length)[None, :] - np.arange(length)[:, None]
    relations = np.where(distance == 0, PRESENT, np.where(distance > 0, FUTURE, PAST))
    if not all_to_all:
        relations = np.where(np.abs(distance) <= 1, relations, -1)
    return relations.astype(np.int8)
