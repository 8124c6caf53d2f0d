"""`data2vec glue report`: the table, report.json and report.png of the runs in a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cli.manifest_files import write_atomically
from ..cli.report import matplotlib_pyplot
from ..cli.tables import print_table
from .scores import TaskScores, missing, our_average, published_averages, read_scores
from .tasks import ROWS, TASKS, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GOING_ON = "*"
BLUE, ORANGE, GREY = "#2a6f97", "#d1701f", "#6b6b6b"
MARKS = (("D", ORANGE), ("s", ORANGE), ("x", GREY))  # of the published rows
LOWEST_SHOWN = 50.0  # percent, unless a run is below it


def report(out: Path) -> None:
    """Print the table of the runs in `out`, and write report.json and report.png there.

    Raises:
        ValueError: there is no run with a score, or matplotlib is not installed (the rest is done by then).
    """
    scores = read_scores(out)
    show(scores, out)
    write_atomically(out / "report.json", json.dumps(as_json(scores), indent=2) + "\n")
    print(out / "report.json")
    draw(scores, out / "report.png")
    print(out / "report.png")


def as_json(scores: list[TaskScores]) -> dict[str, Any]:
    """Everything that the table says, in percent."""
    mean = our_average(scores)
    return {
        "average": None if mean is None else round(mean, 4),
        "missing": missing(scores),
        "finished": all(task.finished for task in scores),
        "published_averages": published_averages(),
        "tasks": {task.task.name: task.as_json() for task in scores},
    }


def show(scores: list[TaskScores], out: Path) -> None:
    """Print a line for each task, the average, and what is still to come."""
    header = ("task", "metric", "median", "seeds", "min–max", *ROWS)
    rows = [row(task) for task in scores]
    mean = our_average(scores)
    averages = (f"{figure:.1f}" for figure in published_averages().values())
    rows.append(("average", "", "-" if mean is None else f"{mean:.1f}", "", "", *averages))
    print_table(f"GLUE dev sets, in percent: {out}", header, rows)
    if missing(scores):
        print(f"no average: {', '.join(missing(scores))} missing")
    if not all(task.finished for task in scores):
        print(f"{GOING_ON} some of the runs have not trained to the end: their best so far counts")


def row(scores: TaskScores) -> tuple[str, ...]:
    """A task's line."""
    mark = "" if scores.finished else GOING_ON
    seeds = f"{len(scores.runs)}{f' of {len(scores.runs) + len(scores.without)}' if scores.without else ''}"
    return (
        scores.task.name,
        scores.task.metric_title,
        figures(scores.medians) + mark,
        seeds,
        f"{scores.lowest:.1f}–{scores.highest:.1f}",
        *map(figures, scores.task.published),
    )


def figures(score: Score) -> str:
    """A score as papers write it: 83.2/83.0 for MNLI."""
    return "/".join(f"{figure:.1f}" for figure in score)


def draw(scores: list[TaskScores], path: Path) -> None:
    """Draw each task's seeds and median beside the published figures.

    Raises:
        ValueError: matplotlib is not installed.
    """
    pyplot = matplotlib_pyplot()
    style = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True}
    with pyplot.rc_context(style):
        figure, axes = pyplot.subplots(figsize=(10, 6))
        for place, task in enumerate(scores):
            draw_task(axes, place, task)
        mean = our_average(scores)
        if mean is not None:
            draw_line(axes, len(scores), mean, published_averages())
        names = [f"{task.task.name}\n{task.task.metric_title}" for task in scores]
        names += ["average"] if mean is not None else []
        axes.set_yticks(range(len(names)), names, fontsize=9)
        axes.invert_yaxis()
        axes.grid(visible=True, axis="x", color="#e6e6e6")
        axes.set_xlabel("GLUE dev score (%)")
        axes.set_xlim(min(LOWEST_SHOWN, *(task.lowest - 2 for task in scores)), 100)
        title = "all eight tasks" if not missing(scores) else f"{len(scores)} of {len(TASKS)} tasks"
        going_on = "" if all(task.finished for task in scores) else "; some runs go on"
        axes.set_title(f"GLUE, {title}{going_on}", loc="left", fontweight="bold", pad=36)
        axes.legend(*once(axes), loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=9)
        figure.tight_layout()
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def draw_task(axes: Axes, place: int, scores: TaskScores) -> None:
    """One task: a dot for each seed, a bar for their median, marks for what is published."""
    published = scores.as_json()["published"]
    values = [run.value for run in scores.runs]
    axes.scatter(values, [place] * len(values), s=26, color=BLUE, alpha=0.45, linewidths=0, label="each seed")
    draw_line(axes, place, scores.median, published)


def draw_line(axes: Axes, place: int, median: float, published: dict[str, float]) -> None:
    """A median and the published figures."""
    axes.scatter([median], [place], s=260, marker="|", color=BLUE, linewidths=2.5, label="our median")
    axes.annotate(f"{median:.1f}", (median, place), (0, 11), textcoords="offset points", ha="center", color=BLUE)
    for (name, figure), (marker, colour) in zip(published.items(), MARKS):
        style: dict[str, Any] = {"facecolors": "none"} if marker == "s" else {}
        axes.scatter([figure], [place + 0.28], s=24, marker=marker, color=colour, label=f"{name} (published)", **style)


def once(axes: Axes) -> tuple[list[Any], list[str]]:
    """Each entry of the legend once."""
    entries = dict(zip(*reversed(axes.get_legend_handles_labels())))
    return list(entries.values()), list(entries)
