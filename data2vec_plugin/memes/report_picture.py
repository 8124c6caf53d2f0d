"""The plots of the report: precision over recall, accuracies side by side, confusion, validations, worst mistakes."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any, Dict

from ..files.media.pictures import decode, read_picture
from ..files.unusable import UnusableFileError
from ..runs.drawing import BLUE, GREY, ORANGE, PALE, picture

STYLE = {"font.size": 9, "axes.titlesize": 10}
SHOWN = 6
"""Number of misclassified memes, shown in one row."""


def draw_report(found: Dict[str, Any], path: Path) -> None:
    """Draw all panels of :func:`data2vec_plugin.memes.report.results` to a file."""
    layout = [["curve"] * 3 + ["bars"] * 3, ["confusion"] * 3 + ["validations"] * 3, list("012345")]
    with picture(path, STYLE, figsize=(11, 9.5)) as (figure, whole):
        whole.remove()
        panels = figure.subplot_mosaic(layout, height_ratios=(1, 1, 0.6))
        draw_curve(panels["curve"], found)
        draw_bars(panels["bars"], found)
        draw_confusion(panels["confusion"], found)
        draw_validations(panels["validations"], found)
        for number in range(SHOWN):
            draw_wrong(panels[str(number)], found["most_wrong"], number)
        title = f"{found['memes']:,} memes of {found['split']}: accuracy {found['accuracy']:.3f}"
        figure.suptitle(title, x=0.07, ha="left", fontsize=13)
        figure.text(0.07, 0.015, fill(found["note"], 150), color=GREY, fontsize=8)
        figure.subplots_adjust(0.07, 0.08, 0.97, 0.92, wspace=0.4, hspace=0.4)


def draw_curve(axes: Any, found: Dict[str, Any]) -> None:
    """Precision over recall, in steps."""
    share = sum(found["confusion"][1]) / found["memes"]
    axes.step([0, *found["recall"]], [found["precision"][0], *found["precision"]], where="pre", color=BLUE)
    axes.axhline(share, color=GREY, linestyle=":", linewidth=1)
    axes.text(1, share, "by chance", ha="right", va="bottom", color=GREY)
    axes.set(xlim=(0, 1.02), ylim=(0, 1.04), xlabel="recall", ylabel="precision")
    axes.set_title(f"Average precision {found['average_precision']:.3f}", loc="left")


def draw_bars(axes: Any, found: Dict[str, Any]) -> None:
    """Accuracy of the run, of the MLPs of the comparison, of the larger class."""
    compared = {f"{name},\nsame training": scores["accuracy"] for name, scores in found["fitted_alike"].items()}
    bars = {"this run": found["accuracy"], **compared, "larger\nclass": found["accuracy_majority"]}
    drawn = axes.bar(range(len(bars)), list(bars.values()), 0.65, color=[BLUE, *[ORANGE] * len(compared), PALE])
    axes.bar_label(drawn, fmt="%.3f", padding=2)
    axes.set_xticks(range(len(bars)), list(bars), fontsize=8)
    axes.set_ylim(0, 1.08)
    axes.set_title("Accuracy, compared with single parts", loc="left")


def draw_confusion(axes: Any, found: Dict[str, Any]) -> None:
    """Counts by label and decision."""
    counts = found["confusion"]
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=max(max(row) for row in counts) * 1.6 or 1)
    for row in range(2):
        for column in range(2):
            axes.text(column, row, f"{counts[row][column]:,}", ha="center", va="center", fontsize=12)
    axes.set_xticks((0, 1), ("decided 0", "decided 1"))
    axes.set_yticks((0, 1), ("label 0", "label 1"))
    axes.set_title("Confusion", loc="left")


def draw_validations(axes: Any, found: Dict[str, Any]) -> None:
    """Accuracy of every validation of the run, and smoothed."""
    axes.set_title(f"Validations on {found['validated_split'] or 'nothing'}", loc="left")
    if not found["validations"]:
        axes.text(0.5, 0.5, "the checkpoint has none", ha="center", color=GREY, transform=axes.transAxes)
        return
    places = range(1, len(found["validations"]) + 1)
    axes.plot(places, found["validations"], color=PALE, label="accuracy")
    axes.plot(places, found["validations_smoothed"], color=BLUE, label=f"smoothed, factor {found['smoothing']:g}")
    axes.set(xlabel="validation", ylabel="accuracy")
    axes.legend(frameon=False, loc="lower right")


def draw_wrong(axes: Any, wrong: Any, number: int) -> None:
    """A misclassified image with its caption; an empty panel if there are fewer."""
    axes.axis("off")
    if number >= len(wrong):
        return
    meme = wrong[number]
    try:
        axes.imshow(decode(read_picture(meme["picture"]), meme["picture"]))
    except UnusableFileError:
        axes.text(0.5, 0.5, "cannot be read", ha="center", color=GREY, transform=axes.transAxes)
    text = fill(meme["caption"][:80], 20, max_lines=3) or "(no caption)"
    axes.set_title(f"label {meme['label']}, score {meme['score']:.2f}", fontsize=8, color=ORANGE)
    axes.text(0.5, -0.06, text.replace("$", r"\$"), ha="center", va="top", fontsize=8, transform=axes.transAxes)
