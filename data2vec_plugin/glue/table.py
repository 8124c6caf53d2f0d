"""`data2vec glue report`: the table, report.json and report.png of the runs in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from ..files.writing import write_atomically
from ..runs.tables import print_table
from .chart import draw
from .scores import TaskScores, missing, our_average, published_averages, read_scores
from .tasks import ROWS

GOING_ON = "*"
METRICS = (
    "m, mm: matched, mismatched; MCC: Matthews correlation; acc+F1: mean of accuracy\n"
    "and F1; corr.: mean of Pearson and Spearman correlation"
)


def report(out: Path) -> None:
    """Print the table of the runs in `out`, and write report.json and report.png there.

    Raises:
        ValueError: there is no run with a score, or matplotlib is not installed (the rest has been written by then).
    """
    scores = read_scores(out)
    show(scores, out)
    write_atomically(out / "report.json", json.dumps(as_json(scores), indent=2) + "\n")
    print(out / "report.json")
    draw(scores, out / "report.png")
    print(out / "report.png")


def as_json(scores: list[TaskScores]) -> dict[str, Any]:
    """The content of the table, in percent."""
    mean = our_average(scores)
    return {
        "average": None if mean is None else round(mean, 4),
        "missing": missing(scores),
        "finished": all(task.finished for task in scores),
        "published_averages": published_averages(),
        "tasks": {task.task.name: task.as_json() for task in scores},
    }


def show(scores: list[TaskScores], out: Path) -> None:
    """Print a row for each dev set, the average, and what is missing."""
    header = ("task", "metric", "median", "seeds", "min–max", *ROWS)
    rows = [line for task in scores for line in lines(task)]
    mean = our_average(scores)
    averages = (f"{figure:.1f}" for figure in published_averages().values())
    rows.append(("average", "", "-" if mean is None else f"{mean:.1f}", "", "", *averages))
    print_table(f"GLUE dev sets, in percent: {out}", header, rows)
    print(METRICS)
    if missing(scores):
        print(f"no average: {', '.join(missing(scores))} missing")
    if not all(task.finished for task in scores):
        print(f"{GOING_ON} some of the runs are not complete: their best score so far counts")


def lines(scores: TaskScores) -> list[tuple[str, ...]]:
    """A task's row; two for MNLI, matched and mismatched."""
    task, total = scores.task, len(scores.runs) + len(scores.without)
    seeds = f"{len(scores.runs)}/{total}" if scores.without else str(total)
    names = [task.name] if len(task.valid_splits) == 1 else [f"{task.name} m", f"{task.name} mm"]
    found = []
    for number, name in enumerate(names):
        figures = [run.score[number] for run in scores.runs]
        middle = f"{median(figures):.1f}{'' if scores.finished else GOING_ON}"
        span = f"{min(figures):.1f}–{max(figures):.1f}"
        found.append((name, task.metric_title, middle, seeds, span, *(f"{row[number]:.1f}" for row in task.published)))
    return found
