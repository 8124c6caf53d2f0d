"""The table and the plot of several runs side by side."""

from __future__ import annotations

from pathlib import Path

from .curves import draw
from .reading import Run, on_split, read_runs
from .tables import print_table

BEST = {
    "loss": ("valid/loss", min),
    "WER": ("valid/wer", min),
    "accuracy": ("valid/accuracy", max),
    "top-5 accuracy": ("valid/accuracy_top5", max),
}
"""Metrics whose best value on a validation split is in the table, and which value is best."""


def report(paths: list[Path], names: list[str] | None, picture: Path) -> None:
    """Print a table of the runs and plot their curves.

    Raises:
        ValueError: a run has no log, no run has logged anything, or the number of names is not that of runs.
    """
    runs = read_runs(paths, names)
    show(runs)
    draw(runs, picture)
    print(picture)


def left_out(runs: list[Run]) -> list[str]:
    """A line for each run that was validated on other splits than the compared ones."""
    lines = [
        f"{each.name} is not validated on {each.splits[metric]}, but on {', '.join(each.others[metric])}"
        for each in runs
        for metric, _ in BEST.values()
        if metric in each.others and metric not in each.curves
    ]
    return list(dict.fromkeys(lines))


def show(runs: list[Run]) -> None:
    """Print a line for each run, with the columns that any of them has."""
    columns = {metric: [r.last(metric) for r in runs] for metric in ("loss", "unexplained", "target_var", "pred_var")}
    for title, (metric, better) in BEST.items():
        columns[f"best valid {title}{on_split(runs, metric)}"] = [r.best(metric, better) for r in runs]
    filled = {title: cells for title, cells in columns.items() if set(cells) != {"-"}}
    rows = [(r.name, r.updates, *cells) for r, *cells in zip(runs, *filled.values())]
    print_table("runs, at their last logged update", ("run", "updates", *filled), rows)
    for line in left_out(runs):
        print(line)
