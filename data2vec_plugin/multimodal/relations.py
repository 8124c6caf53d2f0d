"""The 27 relations of MTAG's edges: from which modality to which, and from which time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Sequence, Tuple

import numpy as np

from .alignment import Relations, chain_relations, reversed_edges, time_relations

MODALITIES = ("vision", "text", "audio")
"""In the order of their nodes in a graph."""
TIMES = 3
PAIRS = tuple(combinations(range(len(MODALITIES)), 2))
MODALITY, LENGTH = DIRECTIONS = ("modality", "length")


@dataclass(frozen=True)
class EdgeConfig:
    """Which edges exist, and what distinguishes their relations.

    ``direction`` defines the relations between two modalities: by ``modality``, as in the paper, or by ``length``, as
    in the published code, where the same vision-to-text edge has another relation in a sample with more frames than
    words. ``all_to_all`` connects every frame to all others of its modality instead of to its neighbours.
    """

    time_aware: bool = True
    type_aware: bool = True
    direction: str = MODALITY
    all_to_all: bool = False

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise ValueError(f"`edge_direction` is {self.direction!r}; expected {' or '.join(DIRECTIONS)}")

    @property
    def count(self) -> int:
        """Number of relations."""
        return (TIMES if self.time_aware else 1) * (len(MODALITIES) ** 2 if self.type_aware else 1)


def relation_matrix(lengths: Sequence[int], config: EdgeConfig) -> Relations:
    """Relations of a graph with the given frames of each modality: (target, source), -1 where there is no edge.

    No two edges share source and target, so that this describes the graph completely.
    """
    ends = np.cumsum([0, *lengths])
    spans = [slice(ends[place], ends[place + 1]) for place in range(len(lengths))]
    matrix = np.full((ends[-1], ends[-1]), -1, dtype=np.int8)
    for place, span in enumerate(spans):
        chain = chain_relations(lengths[place], config.all_to_all)
        matrix[span, span] = np.where(chain < 0, -1, TIMES * place + chain).T
    for pair, (first, second) in enumerate(PAIRS):
        there, back = _between(lengths[first], lengths[second])
        out, home = _bases(pair, lengths[first] > lengths[second], config.direction)
        matrix[spans[second], spans[first]] = (out + there).T
        matrix[spans[first], spans[second]] = (home + back).T
    return _distinguished(matrix, config)


def edge_count(lengths: Sequence[int], all_to_all: bool = False) -> int:
    """Number of edges of such a graph.

    >>> edge_count((500, 50, 375))
    465269
    """
    within = sum(n * n if all_to_all else max(3 * n - 2, 0) for n in lengths)
    return within + 2 * sum(lengths[first] * lengths[second] for first, second in PAIRS)


def _between(first: int, second: int) -> Tuple[Relations, Relations]:
    """Time relations from the first to the second modality (first, second), and back (second, first)."""
    if first <= second:
        there = time_relations(first, second)
        return there, reversed_edges(there).T
    back = time_relations(second, first)
    return reversed_edges(back).T, back


def _bases(pair: int, first_is_longer: bool, direction: str) -> Tuple[np.int8, np.int8]:
    """First of the three relations from the first modality of a pair to the second, and of those back."""
    base = TIMES * (len(MODALITIES) + 2 * pair)
    out, home = np.int8(base), np.int8(base + TIMES)
    return (home, out) if direction == LENGTH and first_is_longer else (out, home)


def _distinguished(matrix: Relations, config: EdgeConfig) -> Relations:
    """The same edges with relations that depend only on time, or only on modality."""
    if config.time_aware and config.type_aware:
        return matrix
    if not (config.time_aware or config.type_aware):
        return np.minimum(matrix, 0)
    coarse = matrix % TIMES if config.time_aware else matrix // TIMES
    return np.where(matrix < 0, -1, coarse).astype(np.int8)
