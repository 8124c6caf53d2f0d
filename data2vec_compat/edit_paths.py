"""The functions of fairseq's compiled `libnat`: shortest edits from one sequence to another by insertions and
deletions.

Replacing a word costs one insertion and one deletion. Among several shortest paths, the one is chosen that, read from
the end, inserts as long as possible, then deletes, and keeps a word last: published models were trained with such
labels.
"""

from types import ModuleType
from typing import Iterator, List, Sequence, Tuple

Words = Sequence[int]
Slots = List[List[int]]
"""The words inserted into each slot: before, between and after the words of a sequence."""

INSERT, DELETE, KEEP = "insert", "delete", "keep"


def as_module(name: str) -> ModuleType:
    """A module with the three functions of `libnat`."""
    module = ModuleType(name, __doc__)
    for function in (compute_ed2, suggested_ed2_path, suggested_ed2_path_with_delete):
        setattr(module, function.__name__, function)
    return module


def compute_ed2(xs: Sequence[Words], ys: Sequence[Words]) -> List[int]:
    """The number of insertions and deletions for each pair of sequences."""
    return [_distances(x, y)[-1][-1] for x, y in zip(xs, ys)]


def suggested_ed2_path(xs: Sequence[Words], ys: Sequence[Words], terminal_symbol: int) -> List[Slots]:
    """For each pair, the words inserted into the `len(x) + 1` slots, then for each word of `x` whether it is deleted
    (1).

    An empty slot holds the terminal symbol.
    """
    return [_insertions_and_deletions(x, y, terminal_symbol) for x, y in zip(xs, ys)]


def suggested_ed2_path_with_delete(
    xs: Sequence[Words], ys: Sequence[Words], terminal_symbol: int, deletion_symbol: int
) -> List[Slots]:
    """For each pair, the words inserted into the `len(x) + 1` slots, with the deletion symbol before each deleted
    word."""
    return [_insertions_with_deletions(x, y, terminal_symbol, deletion_symbol) for x, y in zip(xs, ys)]


def _insertions_and_deletions(x: Words, y: Words, terminal: int) -> Slots:
    if not x:
        return [list(y), []]
    slots: Slots = [[] for _ in range(len(x) + 1)]
    deleted: List[int] = []
    for step, place, word in _steps(x, y):
        if step == INSERT:
            slots[place].append(word)
        else:
            deleted.append(int(step == DELETE))
    return [*(slot or [terminal] for slot in slots), deleted]


def _insertions_with_deletions(x: Words, y: Words, terminal: int, deletion: int) -> Slots:
    if not x:
        return [list(y)]
    slots: Slots = [[] for _ in range(len(x) + 1)]
    for step, place, word in _steps(x, y):
        if step != KEEP:
            slots[place].append(word if step == INSERT else deletion)
    return [slot or [terminal] for slot in slots]


def _steps(x: Words, y: Words) -> Iterator[Tuple[str, int, int]]:
    """Each edit, the number of words of `x` before it, and its word, from the beginning."""
    distances = _distances(x, y)
    i, j = len(x), len(y)
    backwards: List[Tuple[str, int, int]] = []
    while i or j:
        if j and distances[i][j - 1] < distances[i][j]:
            j -= 1
            backwards.append((INSERT, i, y[j]))
        elif i and distances[i - 1][j] < distances[i][j]:
            i -= 1
            backwards.append((DELETE, i, x[i]))
        else:
            i, j = i - 1, j - 1
            backwards.append((KEEP, i, x[i]))
    return reversed(backwards)


def _distances(x: Words, y: Words) -> List[List[int]]:
    """The distance between the first `i` words of `x` and the first `j` of `y`, at `[i][j]`."""
    above = list(range(len(y) + 1))
    table = [above]
    for i, word in enumerate(x, start=1):
        left, row = i, [i]
        for j, other in enumerate(y):
            # keeping a word never costs more than inserting or deleting one
            left = above[j] if word == other else min(left, above[j + 1]) + 1
            row.append(left)
        table.append(row)
        above = row
    return table
