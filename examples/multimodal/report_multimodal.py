"""What the multimodal quickstart ends with: a table, report.json and report.png."""

import json
from pathlib import Path
from typing import Any

from data2vec_plugin.runs.drawing import BLUE, GREY, ORANGE, picture
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.panels import STYLE, caption, draw_loss
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.stages import Runner
from data2vec_plugin.runs.tables import print_table
from data2vec_plugin.runs.training_log import Series, read_training_log

NORMAL = "a fall, then a slow decline, while the predictions' variance climbs"
CHANCE = 0.5


def write_report(runner: Runner, facts: dict[str, Any], install_seconds: Path, seconds: float) -> None:
    """Write report.json and report.png, and print the table.

    Args:
        runner: holds the records of all stages and the folder of the results.
        facts: the settings of the run.
        install_seconds: a file with the seconds that the installation took, if there was one.
        seconds: that this call of the quickstart took.
    """
    out = runner.out
    logs = {name: read_training_log(runner.log(name)) for name in ("image", "text")}
    memes = json.loads((out / "memes-report" / "report.json").read_text(encoding="utf-8"))
    read = json.loads((out / "captions" / "ocr.json").read_text(encoding="utf-8"))
    report = {
        "memes": meme_results(memes, read),
        **runner.costs(install_seconds, seconds),
        "settings": facts,
    }
    draw(logs, report, out / "report.png")
    write_results(out / "report.json", report)
    show(report)
    print(f"{out / 'report.json'}\n{out / 'report.png'}")


def meme_results(memes: dict[str, Any], read: dict[str, Any]) -> dict[str, Any]:
    """Return what of the report on the memes belongs into ours."""
    fitted = memes["fitted_alike"]
    return {
        "accuracy_fusion": round(memes["accuracy"], 4),
        "accuracy_single": {part: round(fitted[part]["accuracy"], 4) for part in memes["modalities"]},
        "accuracy_fusion_fitted_alike": round(fitted["both"]["accuracy"], 4),
        "average_precision": round(memes["average_precision"], 4),
        "accuracy_smoothed_best": memes["accuracy_smoothed_best"],
        "smoothing": memes["smoothing"],
        "memes": memes["memes"],
        "ocr": read,
    }


def show(report: dict[str, Any]) -> None:
    """Print the table."""
    memes = report["memes"]
    rows = [("picture and caption", f"{memes['accuracy_fusion']:.3f}")]
    rows += [(f"{part} alone", f"{accuracy:.3f}") for part, accuracy in memes["accuracy_single"].items()]
    print_table(
        f"{memes['memes']} test memes, label: is one of digit and caption so, and not both?", ("", "accuracy"), rows
    )
    print(told_of(memes["ocr"]))
    print(f"{clock(report['seconds_total'])} in all, installation {clock(report['seconds_install'])}")


def told_of(read: dict[str, Any]) -> str:
    """Return a sentence on how well captions were read."""
    if read["character_error_rate"] is None:
        return f"captions were not read: {read['missing']}"
    rate = 100 * read["character_error_rate"]
    return f"tesseract read {read['pictures']} captions with {rate:.1f} % of characters wrong ({read['options']})"


def draw(logs: dict[str, dict[str, Series]], report: dict[str, Any], path: Path) -> None:
    """Draw three panels."""
    with picture(path, STYLE, 1, 3, figsize=(20, 5.8)) as (figure, panels):
        draw_loss(panels[0], logs["image"], "patch", NORMAL)
        panels[0].set_title("Pictures: pre-training loss")
        draw_loss(panels[1], logs["text"], "word", NORMAL)
        panels[1].set_title("Captions: pre-training loss")
        draw_bars(panels[2], report["memes"])
        figure.suptitle(f"data2vec on memes, seed {report['settings']['seed']}", x=0.05, ha="left", fontsize=14)
        figure.subplots_adjust(0.04, 0.22, 0.98, 0.86, wspace=0.25)


def draw_bars(axes: Any, memes: dict[str, Any]) -> None:
    """Test accuracy of both parts and of each alone."""
    single = memes["accuracy_single"]
    heights = [memes["accuracy_fusion"], *single.values()]
    drawn = axes.bar(range(len(heights)), heights, 0.6, color=[BLUE, *[ORANGE] * len(single)])
    axes.bar_label(drawn, fmt="%.3f", padding=2)
    axes.set_xticks(range(len(heights)), ["both", *(f"{part} alone" for part in single)])
    axes.axhline(CHANCE, color=GREY, linestyle=":", linewidth=1)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 1.08)
    axes.set_title(f"Test: {memes['memes']} memes")
    axes.set_ylabel("accuracy")
    caption(
        axes, "Dotted: guessing, which is all that a part alone can do, since\nthe label is the one kind or the other."
    )
