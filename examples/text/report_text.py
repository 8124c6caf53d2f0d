"""The results of the text quickstart: a table, report.json and report.png."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from data2vec_plugin.runs.drawing import BLUE, GREY, PALE, picture
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.panels import STYLE, caption, draw_loss, draw_variance
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.stages import Runner
from data2vec_plugin.runs.tables import print_table
from data2vec_plugin.runs.training_log import Series, last_update, read_training_log
from data2vec_plugin.runs.two_methods import Measure, compare_methods
from data2vec_plugin.runs.two_starts import STARTS, accuracy_rows, draw_accuracy, read_accuracy

NORMAL = "a decrease, then a rise to a constant level, as the teacher's layers become more informative"


def write_report(
    runner: Runner, facts: dict[str, Any], other_out: Path | None, install_seconds: Path, seconds: float
) -> None:
    """Write report.json and report.png, and print the table; with those of the other method, methods.png too.

    Args:
        runner: holds the records of all stages and the folder of the results.
        facts: the settings of the run, the number of test snippets and the share of their largest class.
        other_out: the folder of the other method's results, if there is one.
        install_seconds: a file with the seconds of the installation, if there is one.
        seconds: duration of this call of the quickstart.
    """
    out = runner.out
    logs = {name: read_training_log(runner.log(name)) for name in ("pretrain", "finetune", "scratch")}
    report = {
        **{f"accuracy_{title}": read_accuracy(runner.log(f"test-{name}")) for name, title in STARTS},
        "accuracy_majority": facts.pop("accuracy_majority"),
        "n_test_snippets": facts.pop("n_test_snippets"),
        "updates_pretraining": last_update(logs["pretrain"]),
        "updates_finetuning": last_update(logs["finetune"]),
        **runner.costs(install_seconds, seconds),
        "settings": facts,
    }
    draw(logs, report, out / "report.png")
    show(report)
    compare_methods(out, other_out, report, Measure("accuracy", "accuracy", "valid/accuracy"))
    write_results(out / "report.json", report)
    print(f"{out / 'report.json'}\n{out / 'report.png'}")


def show(report: dict[str, Any]) -> None:
    """Print the table."""
    settings = report["settings"]
    title = f"{report['n_test_snippets']} test snippets: is a word misspelt?"
    print_table(title, ("", "pre-trained", "from scratch", "largest class"), accuracy_rows(report))
    print(f"{settings['labelled']:,} labelled snippets, seed {settings['seed']}")
    print(f"{clock(report['seconds_total'])} in all, installation {clock(report['seconds_install'])}")


def draw(logs: dict[str, dict[str, Series]], report: dict[str, Any], path: Path) -> None:
    """Draw the four panels."""
    with picture(path, STYLE, 2, 2, figsize=(12, 9.2)) as (figure, panels):
        draw_loss(panels[0, 0], logs["pretrain"], "token", NORMAL)
        draw_variance(panels[0, 1], logs["pretrain"], "token")
        draw_accuracy(panels[1, 0], logs, report["accuracy_majority"], "snippets")
        draw_bars(panels[1, 1], report)
        title = f"data2vec on English: {report['updates_pretraining']} updates, seed {report['settings']['seed']}"
        figure.suptitle(title, x=0.06, ha="left", fontsize=14)
        figure.subplots_adjust(0.06, 0.115, 0.97, 0.90, wspace=0.20, hspace=0.52)


def draw_bars(axes: Any, report: dict[str, Any]) -> None:
    """Test accuracy of both starts, and of the largest class."""
    names = ("pretrained", "scratch", "majority")
    bars = axes.bar(range(3), [report[f"accuracy_{name}"] for name in names], 0.6, color=(BLUE, GREY, PALE))
    axes.bar_label(bars, fmt="%.1f", padding=2)
    axes.set_xticks(range(3), ["pre-trained", "from scratch", "largest class"])
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Test: {report['n_test_snippets']} snippets")
    axes.set_ylabel("accuracy (%)")
    axes.set_ylim(0, 100)
    caption(
        axes,
        "Unseen articles; two letters are swapped in half of the snippets.\n"
        "Same model, labels and updates with labels; only the initial weights differ.",
    )
