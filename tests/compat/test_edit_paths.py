"""The edit paths that stand in for fairseq's compiled `libnat`."""

from typing import Iterator, List, Sequence, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data2vec_compat import edit_paths

PAD, DELETED = 90, 91
RANKS = {"insert": 0, "delete": 1, "keep": 2}
Script = Tuple[Tuple[str, int], ...]

words = st.lists(st.integers(0, 3), max_size=5)


def every_script(x: Sequence[int], y: Sequence[int]) -> Iterator[Script]:
    """All ways to make `y` of `x`, one step after the other."""
    if not x and not y:
        yield ()
    if y:
        yield from ((("insert", y[0]), *rest) for rest in every_script(x, y[1:]))
    if x:
        yield from ((("delete", x[0]), *rest) for rest in every_script(x[1:], y))
    if x and y and x[0] == y[0]:
        yield from ((("keep", x[0]), *rest) for rest in every_script(x[1:], y[1:]))


def cost(script: Script) -> int:
    return sum(step != "keep" for step, _ in script)


def naive(x: Sequence[int], y: Sequence[int]) -> Script:
    """The shortest script that, from the end, rather inserts than deletes and rather deletes than keeps."""
    return min(every_script(x, y), key=lambda script: (cost(script), [RANKS[step] for step, _ in reversed(script)]))


def with_flags(script: Script, places: int) -> List[List[int]]:
    slots: List[List[int]] = [[] for _ in range(places)]
    flags: List[int] = []
    for step, word in script:
        if step == "insert":
            slots[len(flags)].append(word)
        else:
            flags.append(int(step == "delete"))
    return [*(slot or [PAD] for slot in slots), flags]


def with_symbols(script: Script, places: int) -> List[List[int]]:
    slots: List[List[int]] = [[] for _ in range(places)]
    passed = 0
    for step, word in script:
        if step != "keep":
            slots[passed].append(word if step == "insert" else DELETED)
        passed += step != "insert"
    return [slot or [PAD] for slot in slots]


@given(words.filter(bool), words)
def test_as_among_all_paths(x: List[int], y: List[int]) -> None:
    script, places = naive(x, y), len(x) + 1
    assert edit_paths.compute_ed2([x], [y]) == [cost(script)]
    assert edit_paths.suggested_ed2_path([x], [y], PAD) == [with_flags(script, places)]
    assert edit_paths.suggested_ed2_path_with_delete([x], [y], PAD, DELETED) == [with_symbols(script, places)]


@pytest.mark.parametrize("y", [[], [5, 6]])
def test_out_of_nothing_no_terminal_symbol_is_written(y: List[int]) -> None:
    assert edit_paths.suggested_ed2_path([[]], [y], PAD) == [[y, []]]
    assert edit_paths.suggested_ed2_path_with_delete([[]], [y], PAD, DELETED) == [[y]]


def test_as_the_compiled_library_has_them() -> None:
    """Recorded from fairseq's own, which was compiled for it."""
    x, y = [[0, 7, 8, 7, 2], [0, 2], [0, 4, 4, 2]], [[0, 8, 7, 9, 2], [0, 5, 6, 2], [0, 4, 2]]
    assert edit_paths.compute_ed2(x, y) == [2, 2, 1]
    assert edit_paths.suggested_ed2_path(x, y, 1) == [
        [[1], [1], [1], [1], [9], [1], [0, 1, 0, 0, 0]],
        [[1], [5, 6], [1], [0, 0]],
        [[1], [1], [1], [1], [1], [0, 0, 1, 0]],
    ]
    assert edit_paths.suggested_ed2_path_with_delete(x, y, 1, 3) == [
        [[1], [3], [1], [1], [9], [1]],
        [[1], [5, 6], [1]],
        [[1], [1], [3], [1], [1]],
    ]
