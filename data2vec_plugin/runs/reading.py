"""Several runs side by side: their curves, and the metrics that can be compared."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from .run_log import LOG
from .training_log import INNER, Series, read_curves

NOTHING = "nothing logged yet"
EPOCHS = "train"
VALID = "valid"


@dataclass(frozen=True)
class Run:
    """A run's name and curves; training's without a prefix, those of a validation split as `valid/loss`.

    A run that has just started has no curves. `splits` holds for each `valid/…` the split that is compared, `others`
    the other splits on which the run was validated.
    """

    name: str
    curves: dict[str, Series]
    splits: dict[str, str]
    others: dict[str, list[str]]

    @property
    def updates(self) -> str:
        """The last logged update, or a note that there is none."""
        last = max((series.updates[-1] for series in self.curves.values()), default=None)
        return NOTHING if last is None else f"{last:,}"

    def last(self, metric: str) -> str:
        """The newest value of a curve, or a dash."""
        return f"{self.curves[metric].values[-1]:.4g}" if metric in self.curves else "-"

    def best(self, metric: str, better: Callable[[list[float]], float] = min) -> str:
        """The best value of a validation curve and its update, or a dash; finite values have precedence."""
        if metric not in self.curves:
            return "-"
        series = self.curves[metric]
        finite = [value for value in series.values if math.isfinite(value)]
        if not finite:
            return self.last(metric)
        value = better(finite)
        return f"{value:.4g} @ {series.updates[series.values.index(value)]:,}"


def read_runs(paths: list[Path], names: list[str] | None = None) -> list[Run]:
    """The runs, named by the parts in which their folders differ."""
    if names is not None and len(names) != len(paths):
        raise ValueError(f"`--names` has {len(names)} names for {len(paths)} runs; give one for each")
    logs = [log_of(path) for path in paths]
    curves = [read_curves(log) for log in logs]
    if not any(curves):
        raise ValueError(
            f"{', '.join(map(str, logs))}: {NOTHING}; statistics come every `common.log_interval` updates "
            f"and at the end of an epoch, as JSON (common.log_format=json)"
        )
    splits = common_splits(curves)
    return [named_run(name, each, splits) for name, each in zip(names or distinct_names(paths), curves)]


def log_of(path: Path) -> Path:
    """The log of a run's save folder, or the log that was given."""
    if not path.is_dir():
        return path
    log = path / LOG
    if not log.is_file():
        raise ValueError(f"{path} has no {LOG}: give a run's save folder (checkpoint.save_dir), or its log file")
    return log


def distinct_names(paths: list[Path]) -> list[str]:
    """As few last parts of the paths as are needed to distinguish them."""
    parts = [path.resolve().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({number})" for number, path in enumerate(paths, start=1)]


def common_splits(runs: list[dict[str, Series]]) -> dict[str, str]:
    """For each validation metric, as `valid/loss`, the split on which most runs have it; of several the first by name.

    Values of different splits cannot be compared, so they do not share a heading.
    """
    counts = Counter(name for curves in runs for name in curves if name.split("/")[0] not in (INNER, EPOCHS))
    splits: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        split, metric = name.split("/", 1)
        splits.setdefault(f"valid/{metric}", split)
    return splits


def named_run(name: str, curves: dict[str, Series], splits: dict[str, str]) -> Run:
    """A run with its curves by short name: `loss` for training's; those of the splits to be compared as `valid/…`.

    A run whose epochs are shorter than its log's interval has only the closing lines of its epochs.
    """
    training = INNER if any(each.startswith(f"{INNER}/") for each in curves) else EPOCHS
    run = Run(name, {}, splits, defaultdict(list))
    for full, series in curves.items():
        split, metric = full.split("/", 1)
        if split == training:
            run.curves[metric] = series
        elif splits.get(f"valid/{metric}") == split:
            run.curves[f"valid/{metric}"] = series
        elif split not in (INNER, EPOCHS):
            run.others[f"valid/{metric}"].append(split)
    return run


def on_split(runs: list[Run], metric: str) -> str:
    """The split's name for a heading; empty for `valid`, which headings contain anyway, and for training."""
    split = runs[0].splits.get(metric, VALID)
    return "" if split == VALID else f" ({split})"
