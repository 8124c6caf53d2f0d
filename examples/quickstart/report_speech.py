"""What the quickstart ends with: a table, report.json and report.png."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Optional

from follow import clock
from stages import Runner

from data2vec_plugin.files.manifests import read_manifest
from data2vec_plugin.runs.training_log import Series, read_training_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE_RATE = 16000
SCORE = re.compile(r"WER (?P<wer>[\d.]+) %.*\| CER (?P<cer>[\d.]+) %.*\| (?P<utterances>\d+) utterances")
NORMAL = "a plateau, then a loss that stays up, or rises again, while both variances climb"
BLUE, ORANGE, GREY = "#2a6f97", "#d1701f", "#6b6b6b"
STYLE = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
}


@dataclass(frozen=True)
class Score:
    """What fairseq-generate reports of a test set; rates in percent."""

    wer: float
    cer: float
    utterances: int


def read_score(path: Path) -> Score:
    """Read the last score of a results file of fairseq-generate.

    Raises:
        ValueError: the file is missing, or has no such line.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = list(SCORE.finditer(text))
    if not found:
        raise ValueError(
            f"{path}: no line with `WER … % | CER … % | … utterances`; "
            "decode with --scoring data2vec_asr --results-path"
        )
    last = found[-1]
    return Score(float(last["wer"]), float(last["cer"]), int(last["utterances"]))


def write_report(runner: Runner, facts: dict, install_seconds: Path, seconds: float) -> None:
    """Write report.json and report.png, and print the table.

    Args:
        runner: holds the records of all stages and the folder of the results.
        facts: the settings of the run.
        install_seconds: a file with the seconds that the installation took, if there was one.
        seconds: that this call of the quickstart took.
    """
    out = runner.out
    pretrained = read_score(out / "generate-finetune" / "generate-test.txt")
    scratch = read_score(out / "generate-scratch" / "generate-test.txt")
    logs = {name: read_training_log(runner.log(name)) for name in ("pretrain", "finetune", "scratch")}
    report = {
        "wer_pretrained": pretrained.wer,
        "wer_scratch": scratch.wer,
        "cer_pretrained": pretrained.cer,
        "cer_scratch": scratch.cer,
        "updates_pretraining": last_update(logs["pretrain"]),
        "updates_finetuning": last_update(logs["finetune"]),
        "n_test_utterances": pretrained.utterances,
        **runner.costs(install_seconds, seconds),
        "minutes": minutes(out / "data"),
        "settings": facts,
    }
    draw(logs, pretrained, scratch, report, out / "report.png")
    (out / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    show(report)
    print(f"\n{out / 'report.json'}\n{out / 'report.png'}")


def last_update(log: dict[str, Series]) -> int:
    """Return how many updates a log covers."""
    return max(series.updates[-1] for series in log.values())


def minutes(data: Path) -> dict[str, float]:
    """Return the minutes of audio of every manifest."""
    return {
        path.stem: round(sum(c.frames for c in read_manifest(path).clips) / SAMPLE_RATE / 60, 1)
        for path in sorted(data.glob("*.tsv"))
    }


def show(report: dict) -> None:
    """Print the table."""
    from rich.console import Console
    from rich.table import Table

    spoken, ratio = report["minutes"], report["wer_pretrained"] / max(report["wer_scratch"], 1e-9)
    title = f"{report['n_test_utterances']} test sentences, spoken by voices never trained on"
    table = Table(title=title, title_justify="left")
    for column in ("", "pre-trained", "from scratch"):
        table.add_column(column, justify="right" if column else "left")
    for metric in ("wer", "cer"):
        values = (f"{report[f'{metric}_{start}']:.1f} %" for start in ("pretrained", "scratch"))
        table.add_row(metric.upper(), *values)
    table.add_row("minutes without labels", f"{spoken.get('train-unlabelled', 0):g}", "-")
    table.add_row("minutes with labels", *[f"{spoken.get('train-labelled', 0):g}"] * 2)
    table.add_row("updates before CTC", str(report["updates_pretraining"]), "-")
    table.add_row("CTC updates", *[str(report["updates_finetuning"])] * 2)
    console = Console()
    console.print()
    console.print(table)
    console.print(
        f"WER ratio {ratio:.2f}; {clock(report['seconds_total'])} in all, installation "
        f"{clock(report['seconds_install'])}; largest process {report['peak_memory_gib']:.1f} GiB"
    )


def draw(logs: dict[str, dict[str, Series]], pretrained: Score, scratch: Score, report: dict, path: Path) -> None:
    """Draw the four panels."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context(STYLE):
        figure, panels = pyplot.subplots(2, 2, figsize=(12, 9.2))
        draw_loss(panels[0, 0], logs["pretrain"], "frame", NORMAL, valid="valid-unlabelled")
        draw_variance(panels[0, 1], logs["pretrain"], "frame")
        draw_wer(panels[1, 0], logs["finetune"], logs["scratch"])
        draw_bars(panels[1, 1], pretrained, scratch, report["n_test_utterances"])
        spoken = report["minutes"]
        figure.suptitle(
            f"data2vec on synthesised speech: {spoken.get('train-unlabelled', 0):g} min without "
            f"labels, {spoken.get('train-labelled', 0):g} min with, seed "
            f"{report['settings']['seed']}",
            x=0.06,
            ha="left",
            fontsize=14,
        )
        figure.subplots_adjust(0.06, 0.115, 0.97, 0.90, wspace=0.20, hspace=0.52)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def draw_loss(axes: "Axes", log: dict[str, Series], part: str, normal: str, valid: str = "valid") -> None:
    """Pre-training loss over updates, in training and on the valid split.

    Args:
        axes: the panel.
        log: the curves of pre-training.
        part: what of the input is masked, such as a frame.
        normal: how the loss usually goes.
        valid: the valid split.
    """
    line(axes, log.get("train_inner/loss"), "train", BLUE)
    line(axes, log.get(f"{valid}/loss"), "held out", ORANGE, marker="o")
    finish(axes, "Pre-training loss", f"loss per masked {part}")
    caption(
        axes,
        f"Normal: {normal}.\nNear 0 at the end, the targets have become trivial: the loss is no measure of quality.",
    )


def draw_variance(axes: "Axes", log: dict[str, Series], part: str) -> None:
    """Variance of targets and predictions over updates, between inputs' parts, such as frames."""
    line(axes, log.get("train_inner/target_var"), "targets (target_var)", BLUE)
    line(axes, log.get("train_inner/pred_var"), "predictions (pred_var)", ORANGE)
    finish(axes, "Target and prediction variance", "mean standard deviation")
    caption(
        axes,
        "Normal: targets stay well above 0 and predictions climb towards them.\n"
        f"Both sinking to 0 together is collapse: every {part} gets the same answer.",
    )


def draw_wer(axes: "Axes", pretrained: dict[str, Series], scratch: dict[str, Series]) -> None:
    """Word error rate on the valid split over updates, of both starts."""
    line(axes, pretrained.get("valid/wer"), "pre-trained", BLUE, marker="o")
    line(axes, scratch.get("valid/wer"), "from scratch", GREY, marker="o")
    finish(axes, "Fine-tuning with CTC: valid voices", "WER (%)")
    caption(
        axes,
        "Normal: 100 % at first, when CTC says nothing but blanks, then a fall, which is\n"
        "steeper from pre-trained weights.",
    )


def draw_bars(axes: "Axes", pretrained: Score, scratch: Score, count: int) -> None:
    """Test error rates of both starts."""
    for offset, score, label, colour in (
        (-0.19, pretrained, "pre-trained", BLUE),
        (0.19, scratch, "from scratch", GREY),
    ):
        places = [offset, 1 + offset]
        bars = axes.bar(places, [score.wer, score.cer], 0.36, color=colour, label=label)
        axes.bar_label(bars, fmt="%.1f", padding=2)
    axes.set_xticks([0, 1], ["WER", "CER"])
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Test: {count} sentences, unheard voices")
    axes.set_ylabel("errors (%)")
    axes.set_ylim(0, 1.2 * max(pretrained.wer, scratch.wer, pretrained.cer, scratch.cer, 1))
    axes.legend(frameon=False)
    ratio = f"{pretrained.wer / scratch.wer:.2f}" if scratch.wer else "undefined"
    caption(
        axes,
        f"Pre-trained / from scratch: WER ratio {ratio}. Same model, same updates,\n"
        "same labels and settings; only the weights at the start differ.",
    )


def line(axes: "Axes", series: Optional[Series], label: str, colour: str, marker: str = "") -> None:
    """Draw a curve, if the log has it."""
    if series is not None:
        axes.plot(*series, color=colour, label=label, marker=marker, markersize=4, linewidth=1.6)


def finish(axes: "Axes", title: str, unit: str) -> None:
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


def caption(axes: "Axes", text: str) -> None:
    """Write below a panel what is normal."""
    axes.text(0, -0.21, text, transform=axes.transAxes, va="top", fontsize=9, color=GREY)
