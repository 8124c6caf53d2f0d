"""The curves of several runs, side by side in one plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .drawing import picture
from .reading import NOTHING, Run, on_split
from .training_log import Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "loss": "training loss",
    "unexplained": "share of the targets' variance left unexplained (near 0: trivial)",
    "target_var": "targets: mean standard deviation (towards 0: collapse)",
    "pred_var": "predictions: mean standard deviation (towards 0: collapse)",
    "valid/loss": "validation loss",
    "valid/wer": "validation WER (%)",
    "valid/accuracy": "validation accuracy (%)",
}
BESIDE = {"valid/accuracy": ("valid/accuracy_top5", "dotted: among the first five")}
"""Metrics drawn as dotted lines in another metric's panel, and the note in the panel's title."""
HIGHEST = {"unexplained": 2.0}
"""Upper limit of a panel: predicting the mean gives 1, and collapsed targets are hundreds of times worse."""


def draw(runs: list[Run], path: Path) -> None:
    """Draw a panel for each metric that any run has.

    Raises:
        ValueError: matplotlib is not installed.
    """
    metrics = [metric for metric in PANELS if any(metric in r.curves for r in runs)]
    rows = max((len(metrics) + 1) // 2, 1)
    style = {"font.size": 9, "axes.grid": True, "axes.titlelocation": "left"}
    with picture(path, style, rows, 2, figsize=(12, 3.2 * rows + 0.7), squeeze=False) as (figure, panels):
        for axes, metric in zip(panels.flat, metrics):
            draw_panel(axes, runs, metric)
        for axes in panels.flat[len(metrics) :]:
            axes.axis("off")
        lines = draw_legend(figure, panels)
        figure.tight_layout(rect=(0, 0, 1, 1 - (0.05 + 0.22 * lines) / figure.get_figheight()))


def draw_panel(axes: Axes, runs: list[Run], metric: str) -> None:
    """One metric of all runs; a run keeps its colour in every panel, and one without curves its name in the legend."""
    beside, said = BESIDE.get(metric, ("", ""))
    for number, each in enumerate(runs):
        if each.curves and metric not in each.curves:
            continue
        draw_curve(axes, each, number, metric, "-" if number < 10 else "--")
        if beside in each.curves:
            draw_curve(axes, each, number, beside, ":")
    title = PANELS[metric] + on_split(runs, metric)
    dotted = any(beside in each.curves for each in runs)
    axes.set_title(f"{title}; {said}" if dotted else title, fontsize=9)
    axes.set_xlabel("updates")
    axes.set_xlim(left=0)
    axes.set_ylim(0, min(axes.get_ylim()[1], HIGHEST.get(metric, math.inf)))


def draw_curve(axes: Axes, run: Run, number: int, metric: str, style: str) -> None:
    """One metric of one run in the colour of its number; empty if the run has logged nothing yet."""
    series = run.curves.get(metric, Series((), ()))
    marked = metric.startswith("valid/") or len(series.updates) == 1  # one point makes no line
    axes.plot(
        *series,
        style,
        label=run.name if run.curves else f"{run.name}: {NOTHING}",
        color=f"C{number % 10}",
        marker="o" if marked else "",
        markersize=3,
        linewidth=1.4,
    )


def draw_legend(figure: Figure, panels: Any) -> int:
    """Name each run once above the panels, in order of first appearance; returns the number of lines."""
    found: dict[str, Any] = {}
    for axes in panels.flat:
        for line in axes.get_lines():
            found.setdefault(line.get_label(), line)
    columns = max(min(len(found), 4), 1)
    numbers = [str(number) for number in range(len(found))]  # matplotlib leaves out labels that begin with `_`
    handles, corner = list(found.values()), (0.05, 1)
    legend = figure.legend(handles, numbers, loc="upper left", ncols=columns, frameon=False, bbox_to_anchor=corner)
    for text, name in zip(legend.get_texts(), found):
        text.set_text(name)
    return -(-len(found) // columns)
