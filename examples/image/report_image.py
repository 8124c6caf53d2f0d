"""The results of the image quickstart: tables, report.json and report.png."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from strips import Strips, draw_strips, read_strips

from data2vec_plugin.runs.drawing import BLUE, GREY, PALE, picture
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.panels import STYLE, caption, draw_loss, draw_variance
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.stages import Runner
from data2vec_plugin.runs.tables import print_table
from data2vec_plugin.runs.training_log import Series, last_update, read_training_log
from data2vec_plugin.runs.two_methods import Measure, compare_methods
from data2vec_plugin.runs.two_starts import STARTS, accuracy_rows, draw_accuracy, read_accuracy

NORMAL = "a fall, then a slow decline, while the predictions' variance climbs"


def write_report(
    runner: Runner, facts: dict[str, Any], other_out: Path | None, install_seconds: Path, seconds: float
) -> None:
    """Write report.json and report.png, and print the tables; with those of the other method, methods.png too.

    Args:
        runner: holds the records of all stages and the folder of the results.
        facts: the settings of the run, and the number of images of each digit in each split.
        other_out: the folder of the other method's results, if there is one.
        install_seconds: a file with the seconds of the installation, if there is one.
        seconds: duration of this call of the quickstart.
    """
    out = runner.out
    logs = {name: read_training_log(runner.log(name)) for name in ("pretrain", "finetune", "scratch")}
    probes = json.loads((out / "probe.json").read_text(encoding="utf-8"))
    splits = facts.pop("pictures")
    tested = splits["test"]
    report = {
        **{f"accuracy_{title}": read_accuracy(runner.log(f"test-{name}")) for name, title in STARTS},
        **{f"accuracy_{probe}": percent for probe, percent in probes["pretrained"].items()},
        **{f"accuracy_{probe}_untrained": percent for probe, percent in probes["untrained"].items()},
        **{f"accuracy_{probe}_pixels": percent for probe, percent in probes["pixels"].items()},
        "accuracy_majority": round(100 * max(tested.values()) / sum(tested.values()), 2),
        "pictures": {split: sum(counts.values()) for split, counts in splits.items()},
        "updates_pretraining": last_update(logs["pretrain"]),
        "updates_finetuning": last_update(logs["finetune"]),
        **runner.costs(install_seconds, seconds),
        "settings": facts,
    }
    files = [sorted((out / "pictures" / "test" / digit).glob("*.png"))[0] for digit in tested]
    strips = read_strips(out / "pretrain" / "checkpoint_last.pt", files, facts["seed"])
    draw(logs, strips, report, out / "report.png")
    show(report)
    compare_methods(out, other_out, report, Measure("accuracy", "accuracy", "valid/accuracy"))
    write_results(out / "report.json", report)
    print(f"{out / 'report.json'}\n{out / 'report.png'}")


def show(report: dict[str, Any]) -> None:
    """Print the tables."""
    settings, pictures = report["settings"], report["pictures"]
    title = f"{pictures['test']} test images of ten digits, {pictures['labelled']} labelled images for training"
    print_table(title, ("all weights trained", "pre-trained", "from scratch", "largest class"), accuracy_rows(report))
    kinds = ("", "_untrained", "_pixels")
    probes = (("nearest neighbour", "knn"), ("linear probe", "linear"))
    rows = [(name, *(f"{report[f'accuracy_{probe}{kind}']:.1f} %" for kind in kinds)) for name, probe in probes]
    print_table("the same with frozen features", ("", "pre-trained", "untrained encoder", "raw pixels"), rows)
    print(f"seed {settings['seed']}; {pictures['train']} images without labels for pre-training")
    print(f"{clock(report['seconds_total'])} in all, installation {clock(report['seconds_install'])}")


def draw(logs: dict[str, dict[str, Series]], strips: Strips, report: dict[str, Any], path: Path) -> None:
    """Draw four panels, and two strips of images below them."""
    with picture(path, STYLE, 3, 2, figsize=(12, 12.4), height_ratios=(1, 1, 0.5)) as (figure, panels):
        draw_loss(panels[0, 0], logs["pretrain"], "patch", NORMAL)
        draw_variance(panels[0, 1], logs["pretrain"], "patch")
        draw_accuracy(panels[1, 0], logs, report["accuracy_majority"], "pictures")
        draw_bars(panels[1, 1], report)
        draw_strips(panels[2, 0], panels[2, 1], strips)
        title = f"data2vec on digits: {report['updates_pretraining']} updates, seed {report['settings']['seed']}"
        figure.suptitle(title, x=0.06, ha="left", fontsize=14)
        figure.subplots_adjust(0.06, 0.05, 0.97, 0.92, wspace=0.20, hspace=0.52)


def draw_bars(axes: Any, report: dict[str, Any]) -> None:
    """Test accuracy of both starts and of the probes."""
    bars = (
        *(("pre-trained", "pretrained", BLUE), ("from scratch", "scratch", GREY)),
        *(("k-NN,\nfrozen", "knn", BLUE), ("k-NN,\nuntrained", "knn_untrained", PALE)),
        *(("linear,\nfrozen", "linear", BLUE), ("linear,\nuntrained", "linear_untrained", PALE)),
    )
    heights = [report[f"accuracy_{key}"] for _, key, _ in bars]
    drawn = axes.bar(range(len(bars)), heights, 0.7, color=[colour for _, _, colour in bars])
    axes.bar_label(drawn, fmt="%.1f", padding=2)
    axes.set_xticks(range(len(bars)), [name for name, _, _ in bars], fontsize=8)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Test: {report['pictures']['test']} images")
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(0, 105)
    caption(
        axes,
        "\nAll with the same labels. The first two: same model, same updates with labels,\n"
        "other initial weights. The others: frozen encoder.",
    )
