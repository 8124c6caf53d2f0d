"""Read the curves of a run from fairseq's JSON log (`common.log_format=json`).

The log may be the console's output (`… | INFO | train_inner | {…}`) or the file of
`common.log_file` (bare JSON lines). Keys of a split's closing line carry its name
(`valid_loss`), those in between (`train_inner`) do not.
"""

import json
import math
import re
from pathlib import Path
from typing import NamedTuple, Optional

COUNTER = "num_updates"
INNER = "train_inner"
TEXT = re.compile(rf"{COUNTER}[= ]\d|  update [\d,]+(/[\d,]+)?  ")
"""Statistics as text: in fairseq's formats (`num_updates=10`, `num_updates 10`), and as our consoles show them."""


class Series(NamedTuple):
    """Values of one metric and the updates at which they were logged, in order."""

    updates: tuple[int, ...]
    values: tuple[float, ...]


class Entry(NamedTuple):
    """One line of a log."""

    split: str  # train_inner, train, valid, …
    update: int
    stats: dict[str, float]

    @property
    def place(self) -> tuple[int, bool]:
        """Its position in a run: training is logged before its update is validated and its epoch ends."""
        return self.update, self.split != INNER


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
    """Return every curve of a log by name; none for a run that has just started.

    Lines that are not statistics are skipped. If the updates of a log go back, the run was resumed from an earlier
    checkpoint, or another run wrote to the same folder: previous values of that update and of later ones are dropped.
    If an update is repeated in another way, the last line counts.

    Raises:
        ValueError: there is no such file, or its statistics are in another format.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such log")
    entries: list[Entry] = []
    in_text = False
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            entry = parse_line(line)
            if entry is None:
                in_text = in_text or TEXT.search(line) is not None
                continue
            if entries and entry.place < entries[-1].place:
                while entries and entries[-1].update >= entry.update:
                    entries.pop()
            entries.append(entry)
    if in_text and not entries:
        raise ValueError(
            f"{path}: its statistics are no JSON: give the run's save folder or the train.log there, "
            f"or train with common.log_format=json"
        )
    return _curves(entries)


def last_update(curves: dict[str, Series]) -> int:
    """How many updates the curves of a log cover; 0 if there are none."""
    return max((series.updates[-1] for series in curves.values()), default=0)


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
    update = None if counter is None else as_number(raw[counter])
    if counter is None or update is None or not math.isfinite(update):
        return None
    prefix = counter[: -len(COUNTER)]
    stats = {}
    for key, value in raw.items():
        number = as_number(value)
        if number is not None and key.startswith(prefix):
            stats[key[len(prefix) :]] = number
    return Entry(prefix.rstrip("_") or INNER, int(update), stats)


def as_number(value: object) -> Optional[float]:
    """Return a logged value, which fairseq writes as text, as a number."""
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):  # the last: an integer of more than 308 digits
        return None


def _curves(entries: list[Entry]) -> dict[str, Series]:
    """Every metric of the entries, whose updates do not fall, by name."""
    points: dict[str, dict[int, float]] = {}
    for entry in entries:
        for name, value in entry.stats.items():
            points.setdefault(f"{entry.split}/{name}", {})[entry.update] = value
    return {name: Series(tuple(found), tuple(found.values())) for name, found in sorted(points.items())}
