"""The search for weights: what it tries, what it chooses, what it writes."""

from pathlib import Path
from typing import Dict, List, Sequence

import pytest

from data2vec_plugin.decoding.options import BeamOptions
from data2vec_plugin.recognition.weight_search import Grid, half_way, search

START = BeamOptions(50, lexicon=Path("l"), lm_model=Path("m"))
GRID = Grid(lm_weights=(0, 1, 2), word_scores=(-1, 0, 1), sil_weights=(-1, 1), beams=(10, 50, 100))


def valley(options: Sequence[BeamOptions]) -> List[int]:
    """Lowest at a weight of 1.5 and a word score of 0.5; a beam of 10 loses a word, the boundary does nothing."""
    return [round(10 * (abs(each.weight - 1.5) + abs(each.score_of_word - 0.5))) + (each.beam < 50) for each in options]


def test_it_goes_between_the_grids_points_and_takes_the_simplest() -> None:
    tried, best = search(valley, START, GRID)
    assert best == BeamOptions(50, lexicon=Path("l"), lm_model=Path("m"), lm_weight=1.5, word_score=0.5)
    assert tried.errors[best] == 0
    assert len(tried.errors) == 9 + 8 + 2 + 2


def test_nothing_is_tried_twice() -> None:
    seen: Dict[BeamOptions, int] = {}

    def counted(options: Sequence[BeamOptions]) -> List[int]:
        for each in options:
            seen[each] = seen.get(each, 0) + 1
        return valley(options)

    search(counted, START, GRID)
    assert set(seen.values()) == {1}


def test_of_equals_it_takes_the_one_among_good_neighbours() -> None:
    plateau, lone = {(2, 1), (1, 1), (2, 0)}, (0, -1)

    def errors(options: Sequence[BeamOptions]) -> List[int]:
        return [1 if (o.weight, o.score_of_word) in {*plateau, lone} else 5 for o in options]

    _, best = search(errors, START, GRID)
    assert (best.weight, best.score_of_word) in plateau


def test_without_a_lexicon_there_is_no_word_score() -> None:
    start = BeamOptions(50, lm_model=Path("m"))
    tried, best = search(valley, start, Grid((1, 2), (None,), (), (50,)))
    assert best.word_score is None
    assert len(tried.errors) == 3


@pytest.mark.parametrize(("best", "expected"), [(0, [0, 0.5]), (1, [0.5, 1, 1.5]), (2, [1.5, 2])])
def test_half_way(best: float, expected: List[float]) -> None:
    assert half_way([0, 1, 2], best) == expected
