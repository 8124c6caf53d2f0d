"""The plot of `data2vec glue report`: the difference of each task from the published data2vec."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..runs.drawing import BLUE, GREY, ORANGE, picture
from .scores import TaskScores, missing, our_average, published, published_averages
from .tasks import ROWS, TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {ROWS[1]: ("s", ORANGE, "with span masking"), ROWS[2]: ("^", GREY, "RoBERTa baseline")}
LEAST_RANGE = 4.0  # points on either side


def draw(scores: list[TaskScores], path: Path) -> None:
    """Plot each task's seeds and median, and the other published results, relative to the published data2vec.

    Raises:
        ValueError: matplotlib is not installed.
    """
    average = our_average(scores)
    names = [f"{task.task.name} ({task.task.metric_title})" for task in scores] + ["average"] * (average is not None)
    size = (10, 1.7 + 0.5 * len(names))
    with picture(path, {"font.size": 10, "axes.axisbelow": True}, figsize=size) as (figure, axes):
        for place, task in enumerate(scores):
            figures = [run.value for run in task.runs]
            draw_line(axes, place, figures, task.median, published(task.task))
        if average is not None:
            draw_line(axes, len(scores), [], average, published_averages())
        axes.axvline(0, color=ORANGE, linewidth=1.4, label="data2vec, published")
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(visible=True, axis="x", color="#e6e6e6")
        axes.set_xlabel("points above the published data2vec (GLUE dev sets)")
        low, high = axes.get_xlim()
        axes.set_xlim(min(low, -LEAST_RANGE), max(high, LEAST_RANGE))
        label(axes, scores)
        figure.tight_layout()


def draw_line(axes: Axes, place: int, seeds: list[float], median: float, figures: dict[str, float]) -> None:
    """One task: a dot per seed, a bar for the median, a mark per published row, both numbers as text."""
    zero = figures[ROWS[0]]
    for name, (marker, colour, title) in MARKS.items():
        axes.scatter(figures[name] - zero, place, 38, marker=marker, facecolors="none", edgecolors=colour, label=title)
    if seeds:
        dots = [figure - zero for figure in seeds]
        axes.scatter(dots, [place] * len(dots), 34, color=BLUE, alpha=0.5, linewidths=0, label="a seed")
    axes.scatter(median - zero, place, 300, marker="|", color=BLUE, linewidths=2.5, label="their median")
    at_the_end = axes.get_yaxis_transform()
    axes.text(1.02, place, f"{median:.1f}", transform=at_the_end, va="center", color=BLUE, fontweight="bold")
    axes.text(1.09, place, f"{zero:.1f}", transform=at_the_end, va="center", color=ORANGE)


def label(axes: Axes, scores: list[TaskScores]) -> None:
    """The title, the legend with each entry once, and the headings of the numbers at the end."""
    what = "all eight tasks" if not missing(scores) else f"{len(scores)} of {len(TASKS)} tasks"
    going_on = "" if all(task.finished for task in scores) else "; some runs have not trained to the end"
    axes.set_title(f"GLUE: {what}{going_on}", loc="left", fontweight="bold", pad=30)
    handles, names = axes.get_legend_handles_labels()
    entries = dict(zip(names, handles))
    axes.legend(
        entries.values(),
        entries,
        loc="lower left",
        bbox_to_anchor=(-0.02, 1),
        ncols=len(entries),
        columnspacing=1.2,
        handletextpad=0.3,
        frameon=False,
        fontsize=9,
    )
    for x, head, colour in ((1.02, "ours", BLUE), (1.09, "published", ORANGE)):
        axes.text(x, -0.75, head, transform=axes.get_yaxis_transform(), color=colour, fontsize=9)
