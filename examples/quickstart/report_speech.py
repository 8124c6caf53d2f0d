"""The results of the quickstart: a table, report.json and report.png."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data2vec_plugin.files.text.manifests import read_manifest
from data2vec_plugin.runs.drawing import BLUE, GREY, picture
from data2vec_plugin.runs.following import clock
from data2vec_plugin.runs.panels import STYLE, caption, draw_loss, draw_variance, finish, line
from data2vec_plugin.runs.quickstart import write_results
from data2vec_plugin.runs.speech_stages import Score, read_score
from data2vec_plugin.runs.stages import Runner, below, shown
from data2vec_plugin.runs.tables import print_table
from data2vec_plugin.runs.training_log import Series, last_update, read_training_log
from data2vec_plugin.runs.two_methods import Measure, compare_methods

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAMPLE_RATE = 16000
STARTS = {"pretrained": "finetune", "scratch": "scratch"}
"""The initial weights of a model, and the stage that trains from them."""
RATES = {
    "WER, greedy": "wer_{}",
    "WER, beam search + 3-gram": "wer_{}_beam",
    "CER, greedy": "cer_{}",
    "CER, beam search + 3-gram": "cer_{}_beam",
}
"""Rows of the table, and the report's keys."""
NORMAL = "a plateau, then a high or rising loss, while both deviations rise"


def write_report(
    runner: Runner, facts: dict[str, Any], other_out: Path | None, install_seconds: Path, seconds: float
) -> None:
    """Write report.json and report.png, and print the table; with those of the other method, methods.png too.

    Args:
        runner: holds the records of all stages and the folder of the results.
        facts: the settings of the run.
        other_out: the folder of the other method's results, if there is one.
        install_seconds: a file with the seconds of the installation, if there is one.
        seconds: duration of this call of the quickstart.
    """
    out = runner.out
    pretrained = read_score(out / "generate-finetune" / "generate-test.txt")
    scratch = read_score(out / "generate-scratch" / "generate-test.txt")
    beam = read_beam_scores(out)
    logs = {name: read_training_log(runner.log(name)) for name in ("pretrain", "finetune", "scratch")}
    report = {
        "wer_pretrained": pretrained.wer,
        "wer_scratch": scratch.wer,
        "cer_pretrained": pretrained.cer,
        "cer_scratch": scratch.cer,
        **{f"{rate}_{start}_beam": getattr(score, rate) for start, score in beam.items() for rate in ("wer", "cer")},
        "updates_pretraining": last_update(logs["pretrain"]),
        "updates_finetuning": last_update(logs["finetune"]),
        "n_test_utterances": pretrained.utterances,
        **runner.costs(install_seconds, seconds),
        "minutes": minutes(out / "data"),
        "settings": facts,
    }
    draw(logs, (pretrained, scratch), beam, report, out / "report.png")
    show(report)
    compare_methods(out, other_out, report, Measure("WER", "wer", "valid/wer"))
    write_results(out / "report.json", report)
    print(f"\n{out / 'report.json'}\n{out / 'report.png'}")
    if command := transcribe(runner, bool(beam)):
        activate = below(runner.root, Path(sys.prefix) / "bin" / "activate")
        print(f"\nnext, a transcript:\n. {activate}\n{shown(command)}")


def transcribe(runner: Runner, beam: bool) -> tuple[str, ...]:
    """The command that transcribes the first test sentence with the pre-trained recogniser; empty without sentences.

    With the quickstart's 3-gram if ``beam``.
    """
    at = partial(below, runner.root)
    sentence = min((runner.out / "corpus" / "test").rglob("*.flac"), default=None)
    if sentence is None:
        return ()
    checkpoint, lexicon, lm = (runner.out / name for name in ("finetune/checkpoint_best.pt", "lexicon.txt", "lm.arpa"))
    search = ("--lexicon", at(lexicon), "--lm-model", at(lm)) if beam else ()
    return ("data2vec", "transcribe", at(checkpoint), at(sentence), *search)


def read_beam_scores(out: Path) -> dict[str, Score]:
    """Read the scores of beam search by initial weights; none if it could not run."""
    files = {start: out / f"beam-{name}" / "generate-test.txt" for start, name in STARTS.items()}
    return {start: read_score(path) for start, path in files.items()} if all(map(Path.exists, files.values())) else {}


def minutes(data: Path) -> dict[str, float]:
    """Return the minutes of audio of every manifest."""
    return {
        path.stem: round(sum(c.frames for c in read_manifest(path).clips) / SAMPLE_RATE / 60, 1)
        for path in sorted(data.glob("*.tsv"))
    }


def show(report: dict[str, Any]) -> None:
    """Print the table."""
    spoken, ratio = report["minutes"], report["wer_pretrained"] / max(report["wer_scratch"], 1e-9)
    title = f"{report['n_test_utterances']} test sentences, spoken by unseen voices"
    rows = [
        *(
            (title, *(f"{report[key.format(start)]:.1f} %" for start in STARTS))
            for title, key in RATES.items()
            if key.format("scratch") in report
        ),
        ("minutes without labels", f"{spoken.get('train-unlabelled', 0):g}", "-"),
        ("minutes with labels", *[f"{spoken.get('train-labelled', 0):g}"] * 2),
        ("updates before CTC", str(report["updates_pretraining"]), "-"),
        ("CTC updates", *[str(report["updates_finetuning"])] * 2),
    ]
    print()
    print_table(title, ("", "pre-trained", "from scratch"), rows)
    if "wer_pretrained_beam" in report:
        print("the 3-gram and its lexicon are from the labelled training sentences; weights are not tuned")
    print(
        f"WER ratio {ratio:.2f}; {clock(report['seconds_total'])} in all, installation "
        f"{clock(report['seconds_install'])}; largest process {report['peak_memory_gib']:.1f} GiB"
    )


def draw(
    logs: dict[str, dict[str, Series]],
    greedy: tuple[Score, Score],
    beam: dict[str, Score],
    report: dict[str, Any],
    path: Path,
) -> None:
    """Draw the four panels."""
    with picture(path, STYLE, 2, 2, figsize=(12, 9.2)) as (figure, panels):
        draw_loss(panels[0, 0], logs["pretrain"], "frame", NORMAL, valid="valid-unlabelled")
        draw_variance(panels[0, 1], logs["pretrain"], "frame")
        draw_wer(panels[1, 0], logs["finetune"], logs["scratch"])
        draw_bars(panels[1, 1], greedy, beam, report["n_test_utterances"])
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


def draw_wer(axes: Axes, pretrained: dict[str, Series], scratch: dict[str, Series]) -> None:
    """Word error rate on the valid split over updates, of both starts."""
    line(axes, pretrained.get("valid/wer"), "pre-trained", BLUE, marker="o")
    line(axes, scratch.get("valid/wer"), "from scratch", GREY, marker="o")
    finish(axes, "Fine-tuning with CTC: valid voices", "WER (%)")
    caption(
        axes,
        "Normal: 100 % at first, when CTC outputs only blanks, then a decrease, which is\n"
        "steeper from pre-trained weights.",
    )


def draw_bars(axes: Axes, greedy: tuple[Score, Score], beam: dict[str, Score], count: int) -> None:
    """Test error rates of both starts: greedy, and with beam search if that ran."""
    pretrained, scratch = greedy
    for offset, start, score, colour in ((-0.19, "pretrained", pretrained, BLUE), (0.19, "scratch", scratch, GREY)):
        rates = [score.wer, score.cer, *([beam[start].wer] if beam else [])]
        places = [place + offset for place in range(len(rates))]
        label = {"pretrained": "pre-trained", "scratch": "from scratch"}[start]
        bars = axes.bar(places, rates, 0.36, color=colour, label=label)
        axes.bar_label(bars, fmt="%.1f", padding=2)
    names = ["WER", "CER", "WER, beam + 3-gram"] if beam else ["WER", "CER"]
    axes.set_xticks(range(len(names)), names)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Test: {count} sentences, unseen voices")
    axes.set_ylabel("errors (%)")
    axes.set_ylim(0, 1.2 * max(pretrained.wer, scratch.wer, pretrained.cer, scratch.cer, 1))
    axes.legend(frameon=False)
    ratio = f"{pretrained.wer / scratch.wer:.2f}" if scratch.wer else "undefined"
    caption(
        axes,
        f"Pre-trained / from scratch: WER ratio {ratio}. Same model, same updates,\n"
        "same labels and settings; only the initial weights differ.",
    )
