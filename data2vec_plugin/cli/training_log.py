"""Read the curves of a run from fairseq's JSON log (`common.log_format=json`).

The log may be the console's output (`… | INFO | train_inner | {…}`) or the file of
`common.log_file` (bare JSON lines). Keys of a split's closing line carry its name
(`valid_loss`), those in between (`train_inner`) do not.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple, Optional

COUNTER = "num_updates"
INNER = "train_inner"
TEXT = re.compile(rf"{COUNTER}[= ]\d")
"""Statistics as fairseq's other formats write them: `num_updates=10`, `num_updates 10`."""


class Series(NamedTuple):
    """Values of one metric and the updates at which they were logged, in order."""

    updates: tuple[int, ...]
    values: tuple[float, ...]


class Entry(NamedTuple):
    """One line of a log."""

    split: str  # train_inner, train, valid, …
    update: int
    stats: dict[str, float]


def read_training_log(path: Path) -> dict[str, Series]:
    """Return every curve of a log by name, such as `train_inner/loss` or `valid/wer`.

    Raises:
        ValueError: there is no such file, or it has no statistics.
    """
    curves = read_curves(path)
    if not curves:
        raise ValueError(f"{path}: no statistics; train with common.log_format=json")
    return curves


def read_curves(path: Path) -> dict[str, Series]:
    """Return every curve of a log by name; of a run that has only begun, none.

    Lines that are not statistics are passed over. Where a run was resumed, or the log repeats an
    update, the last line counts.

    Raises:
        ValueError: there is no such file, or its statistics are in another format.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such log")
    points: dict[str, dict[int, float]] = {}
    in_text = False
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            entry = parse_line(line)
            if entry is None:
                in_text = in_text or TEXT.search(line) is not None
                continue
            for name, value in entry.stats.items():
                points.setdefault(f"{entry.split}/{name}", {})[entry.update] = value
    if in_text and not points:
        raise ValueError(f"{path}: its statistics are no JSON; train with common.log_format=json")
    return {name: _series(found) for name, found in sorted(points.items())}


def parse_line(line: str) -> Optional[Entry]:
    """Return the statistics of a line, or None if it has none."""
    begin = line.find("{")
    if begin < 0 or COUNTER not in line:
        return None
    try:
        raw = json.loads(line[begin:])
    except ValueError:
        return None
    counter = next((key for key in raw if key.endswith(COUNTER)), None)
    if counter is None or _number(raw[counter]) is None:
        return None
    prefix = counter[: -len(COUNTER)]
    stats = {}
    for key, value in raw.items():
        number = _number(value)
        if number is not None and key.startswith(prefix):
            stats[key[len(prefix) :]] = number
    return Entry(prefix.rstrip("_") or INNER, int(float(raw[counter])), stats)


def _number(value: object) -> Optional[float]:
    """Return a logged value, which fairseq writes as text, as a number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _series(points: dict[int, float]) -> Series:
    updates = tuple(sorted(points))
    return Series(updates, tuple(points[update] for update in updates))
