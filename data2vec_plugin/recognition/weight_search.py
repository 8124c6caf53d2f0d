"""The search for weights of beam search: a grid, then points between, then the boundary's weight and the beam."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ..decoding.options import BeamOptions

LM_WEIGHTS = tuple(0.5 * step for step in range(9))
WORD_SCORES = tuple(float(step) for step in range(-4, 3))
SIL_WEIGHTS = (-1.0, -0.5, 0.5, 1.0)
BEAMS = (5, 10, 20, 50, 100, 200)
NO_SCORES = (None,)

Errors = Callable[[Sequence[BeamOptions]], List[int]]
"""Function that counts the word errors of each of some options."""


@dataclass
class Tried:
    """Options tried, and their word errors."""

    errors: Dict[BeamOptions, int] = field(default_factory=dict)

    def run(self, errors: Errors, options: Sequence[BeamOptions]) -> None:
        """Try the options that have not been tried."""
        fresh = [each for each in dict.fromkeys(options) if each not in self.errors]
        self.errors.update(zip(fresh, errors(fresh)))

    def best(self, among: Sequence[BeamOptions]) -> BeamOptions:
        """The fewest errors; of equals the one in the best neighbourhood, which is best for other recordings too."""
        return min(dict.fromkeys(among), key=lambda options: (self.errors[options], self._around(options)))

    def simplest(self, among: Sequence[BeamOptions]) -> BeamOptions:
        """The fewest errors; of equals the one without a boundary weight, then the smallest beam."""
        return min(among, key=lambda options: (self.errors[options], abs(options.sil_weight or 0), options.beam))

    def _around(self, options: BeamOptions) -> float:
        near = sorted((distance(options, other), errors) for other, errors in self.errors.items())[:9]
        return sum(errors for _, errors in near) / len(near)


def distance(one: BeamOptions, other: BeamOptions) -> Tuple[float, float]:
    """Distance of two points of the surface; points with another beam or boundary weight are the farthest."""
    apart = abs(one.beam - other.beam) + abs((one.sil_weight or 0) - (other.sil_weight or 0))
    return apart, abs(one.weight - other.weight) + abs(one.score_of_word - other.score_of_word) / 2


@dataclass(frozen=True)
class Grid:
    """Values to try; if one of the last two lists is empty, that option is not searched."""

    lm_weights: Sequence[float] = LM_WEIGHTS
    word_scores: Sequence[Optional[float]] = WORD_SCORES
    sil_weights: Sequence[float] = SIL_WEIGHTS
    beams: Sequence[int] = BEAMS

    def points(self, start: BeamOptions) -> List[BeamOptions]:
        """Options of the grid, with the beam of ``start``."""
        return [replace(start, lm_weight=w, word_score=s) for w in self.lm_weights for s in self.word_scores]

    def between(self, best: BeamOptions) -> List[BeamOptions]:
        """Points half way from the best to its neighbours."""
        weights = half_way(self.lm_weights, best.weight)
        scores = [None] if best.word_score is None else half_way(self.word_scores, best.word_score)
        return [replace(best, lm_weight=w, word_score=s) for w in weights for s in scores]


def half_way(values: Sequence[Optional[float]], best: float) -> List[float]:
    """The best, and half way to its neighbours on both sides.

    >>> half_way([0, 1, 2], 0)
    [0, 0.5]
    """
    known = sorted(value for value in values if value is not None)
    at = known.index(best)
    return [(best + known[beside]) / 2 for beside in (at - 1, at, at + 1) if 0 <= beside < len(known)]


def search(errors: Errors, start: BeamOptions, grid: Grid) -> Tuple[Tried, BeamOptions]:
    """Try the grid, its best point's neighbourhood, boundary weights and beams; returns all tried, and the best."""
    tried = Tried()
    points = grid.points(start)
    tried.run(errors, points)
    points += grid.between(tried.best(points))
    tried.run(errors, points)
    best = tried.best(points)
    points = [best, *(replace(best, sil_weight=weight) for weight in grid.sil_weights)]
    tried.run(errors, points)
    best = tried.simplest(points)
    points = [best, *(replace(best, beam=beam) for beam in grid.beams)]
    tried.run(errors, points)
    return tried, tried.simplest(points)
