"""Panels of one training's curves, with notes on what is normal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from .drawing import BLUE, GREY, ORANGE
from .training_log import Series

STYLE = {
    "font.size": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
}

CHARACTERS_PER_INCH = 14.5
"""Of captions."""


def draw_loss(axes: Any, log: dict[str, Series], part: str, normal: str, valid: str = "valid") -> None:
    """Pre-training loss over updates, in training and on the valid split.

    Args:
        axes: the panel.
        log: the curves of pre-training.
        part: the part of the input that is masked, such as a frame.
        normal: the usual course of the loss.
        valid: the valid split.
    """
    line(axes, log.get("train_inner/loss"), "train", BLUE)
    line(axes, log.get(f"{valid}/loss"), "held out", ORANGE, marker="o")
    finish(axes, "Pre-training loss", f"loss per masked {part}")
    caption(
        axes,
        f"Normal: {normal}.\nNear 0 at the end, the targets have become trivial: the loss is no measure of quality.",
    )


def draw_variance(axes: Any, log: dict[str, Series], part: str) -> None:
    """Standard deviation of targets and predictions over updates, between inputs' parts, such as frames."""
    line(axes, log.get("train_inner/target_var"), "targets (target_var)", BLUE)
    line(axes, log.get("train_inner/pred_var"), "predictions (pred_var)", ORANGE)
    finish(axes, "Deviation of targets and predictions", "mean standard deviation")
    caption(
        axes,
        "Normal: targets stay well above 0 and predictions climb towards them.\n"
        f"Both sinking to 0 together is collapse: every {part} gets the same answer.",
    )


def line(axes: Any, series: Sequence[Any] | None, label: str, colour: str, marker: str = "") -> None:
    """Draw a curve, updates and values, if the log has it."""
    if series is not None:
        axes.plot(*series, color=colour, label=label, marker=marker, markersize=4, linewidth=1.6)


def finish(axes: Any, title: str, unit: str) -> None:
    """Give a panel of curves its title, units, limits, legend, and the curves' last values."""
    axes.set_title(title)
    axes.set_xlabel("updates")
    axes.set_ylabel(unit)
    if not axes.lines:
        axes.text(0.5, 0.5, "not in the log", transform=axes.transAxes, ha="center", color=GREY)
        return
    axes.margins(x=0.08)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    ends = sorted((curve.get_xydata()[-1][1], index) for index, curve in enumerate(axes.lines))
    close = len(ends) > 1 and ends[1][0] - ends[0][0] < 0.06 * axes.get_ylim()[1]
    for order, (value, index) in enumerate(ends):
        curve = axes.lines[index]
        axes.annotate(
            f"{value:.3g}",
            curve.get_xydata()[-1],
            xytext=(6, (14 * order - 7) if close else 0),  # points; apart where curves end together
            textcoords="offset points",
            va="center",
            color=curve.get_color(),
        )


def caption(axes: Any, text: str) -> None:
    """Write below a panel what is normal; lines are wrapped before the next panel."""
    room = int(CHARACTERS_PER_INCH * axes.figure.get_figwidth() / axes.get_gridspec().ncols)
    wrapped = "\n".join(textwrap.fill(part, room) for part in text.splitlines())
    axes.text(0, -0.21, wrapped, transform=axes.transAxes, va="top", fontsize=9, color=GREY)
