"""The results of the multimodal quickstart: a table, report.json and report.png."""

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
STREAMS = ("vision", "text", "audio")
SUM = "accuracy_sum"
LOSSES = (
    ("image", "patch", "Memes' images"),
    ("text", "word", "Memes' captions"),
    ("digits-audio", "frame", "Spoken digits"),
)


def write_report(runner: Runner, facts: dict[str, Any], install_seconds: Path, seconds: float) -> None:
    """Write report.json and report.png, and print the table.

    Args:
        runner: holds the records of all stages and the folder of the results.
        facts: the settings of the run.
        install_seconds: a file with the seconds of the installation, if there is one.
        seconds: duration of this call of the quickstart.
    """
    out = runner.out
    logs = {name: read_training_log(runner.log(name)) for name in ("image", "text", "digits-audio")}
    memes = json.loads((out / "memes-report" / "report.json").read_text(encoding="utf-8"))
    read = json.loads((out / "captions" / "ocr.json").read_text(encoding="utf-8"))
    report = {
        "memes": meme_results(memes, read),
        "digits": digit_results({name: predictions(out, name) for name in ("fusion", *STREAMS)}),
        **runner.costs(install_seconds, seconds),
        "settings": facts,
    }
    draw(logs, report, out / "report.png")
    write_results(out / "report.json", report)
    show(report)
    print(f"{out / 'report.json'}\n{out / 'report.png'}")


def meme_results(memes: dict[str, Any], read: dict[str, Any]) -> dict[str, Any]:
    """Return the part of the report on memes that goes into this report."""
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


def predictions(out: Path, name: str) -> dict[str, Any]:
    """Return the predictions of a run on the digits for the test clips."""
    found: dict[str, Any] = json.loads((out / f"predicted-{name}" / "predictions.json").read_text(encoding="utf-8"))
    return found


def digit_results(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the accuracy on the sum and on each digit, by the streams of a run."""
    metrics = {name: run["metrics"] for name, run in found.items()}
    own = dict(zip(STREAMS, ("scanned", "written", "spoken")))
    return {
        "accuracy_fusion": round(metrics["fusion"][SUM], 4),
        "accuracy_single": {name: round(metrics[name][SUM], 4) for name in STREAMS},
        "accuracy_of_each_digit_fusion": {
            name: round(metrics["fusion"][f"accuracy_{digit}"], 4) for name, digit in own.items()
        },
        "accuracy_of_its_own_digit": {
            name: round(metrics[name][f"accuracy_{digit}"], 4) for name, digit in own.items()
        },
        "clips": found["fusion"]["predicted"],
    }


def show(report: dict[str, Any]) -> None:
    """Print the tables."""
    memes, digits = report["memes"], report["digits"]
    title = f"{memes['memes']} test memes, label: digit is zero or caption is friendly, not both"
    print_table(title, ("", "accuracy"), table("image and caption", memes))
    title = f"{digits['clips']} test clips, label: the sum of three digits modulo 3"
    print_table(title, ("", "accuracy"), table("scanned, written and spoken", digits))
    print(ocr_summary(memes["ocr"]))
    print(f"{clock(report['seconds_total'])} in all, installation {clock(report['seconds_install'])}")


def table(together: str, results: dict[str, Any]) -> list[tuple[str, str]]:
    """Return a row for all parts, and one for each single part."""
    alone = [(f"{part} only", f"{accuracy:.3f}") for part, accuracy in results["accuracy_single"].items()]
    return [(together, f"{results['accuracy_fusion']:.3f}"), *alone]


def ocr_summary(read: dict[str, Any]) -> str:
    """Return a sentence on the accuracy of OCR."""
    if read["character_error_rate"] is None:
        return f"captions were not read: {read['missing']}"
    rate = 100 * read["character_error_rate"]
    return f"tesseract read {read['pictures']} captions with {rate:.1f} % of characters wrong ({read['options']})"


def draw(logs: dict[str, dict[str, Series]], report: dict[str, Any], path: Path) -> None:
    """Draw five panels: pre-training, and the results of fine-tuning."""
    layout = [[name for name, _, _ in LOSSES for _ in range(2)], ["memes"] * 3 + ["digits"] * 3]
    with picture(path, STYLE, figsize=(21, 12)) as (figure, whole):
        whole.remove()
        panels = figure.subplot_mosaic(layout)
        for name, noun, title in LOSSES:
            draw_loss(panels[name], logs[name], noun, NORMAL)
            panels[name].set_title(f"{title}: pre-training loss")
        memes, digits = report["memes"], report["digits"]
        draw_bars(panels["memes"], memes, "both", 1 / 2, f"Memes: {memes['memes']} of the test split")
        draw_bars(
            panels["digits"], digits, "all three", 1 / 3, f"Sums of digits: {digits['clips']} clips of the test split"
        )
        figure.suptitle(
            f"data2vec on several modalities, seed {report['settings']['seed']}", x=0.04, ha="left", fontsize=14
        )
        figure.subplots_adjust(0.04, 0.13, 0.98, 0.92, wspace=0.7, hspace=0.5)


def draw_bars(axes: Any, results: dict[str, Any], together: str, chance: float, title: str) -> None:
    """Test accuracy of all parts and of each single part."""
    single = results["accuracy_single"]
    heights = [results["accuracy_fusion"], *single.values()]
    drawn = axes.bar(range(len(heights)), heights, 0.6, color=[BLUE, *[ORANGE] * len(single)])
    axes.bar_label(drawn, fmt="%.3f", padding=2)
    axes.set_xticks(range(len(heights)), [together, *(f"{part} only" for part in single)])
    axes.axhline(chance, color=GREY, linestyle=":", linewidth=1)
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 1.08)
    axes.set_title(title)
    axes.set_ylabel("accuracy")
    caption(
        axes,
        "Dotted: chance level, the best that a single part can do: its values\nsay nothing about the label.",
    )
