"""The same quickstart with data2vec 1 and data2vec 2.0: results and curves of both over wall time."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from .drawing import BLUE, GREY, ORANGE, picture
from .panels import STYLE, caption, finish, line
from .tables import print_table
from .training_log import Series, read_training_log

NAMES = {1: "data2vec 1", 2: "data2vec 2.0"}
COLOURS = {1: BLUE, 2: ORANGE}
OF_A_METHOD = ("method", "size", "pretraining", "updates_pretraining", "log_interval")
"""Settings in which two methods may differ."""
PICTURE = "methods.png"


@dataclass(frozen=True)
class Measure:
    """The metric by which two methods are compared."""

    name: str  # in tables and plots
    key: str  # in report.json, without the suffix for the start
    curve: str  # in a fine-tuning's log


class Timed(NamedTuple):
    """Values of one metric and the seconds at which they were logged, in order."""

    seconds: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """The results of a quickstart with one method."""

    method: int
    report: Mapping[str, Any]
    logs: Path

    def curves(self, stage: str, begin: float = 0.0) -> dict[str, Timed]:
        """Curves of a training's log over seconds, from the training's start."""
        return by_seconds(read_training_log(self.logs / f"{stage}.log"), begin)

    @property
    def seconds(self) -> float:
        """Seconds of pre-training."""
        return float(self.report["seconds_by_stage"]["pretrain"])


def compare_methods(out: Path, other_out: Path | None, report: dict[str, Any], measure: Measure) -> None:
    """Add both methods' results to a report, and plot both, if the other's results exist and have the same settings.

    Args:
        out: the folder of this quickstart.
        other_out: the folder of the other method's results, if there is one.
        report: gets the key `methods`: for each, its error or accuracy, and the seconds of pre-training.
        measure: the metric by which they are compared.
    """
    results = [Result(report["settings"]["method"], report, out / "logs")]
    other = None if other_out is None else read_report(other_out)
    if other_out is not None and other is not None:
        unlike = difference(report["settings"], other["settings"])
        if unlike:
            print(f"\n{other_out} is not compared: {unlike}")
        else:
            results.append(Result(other["settings"]["method"], other, other_out / "logs"))
    results.sort(key=lambda result: result.method)
    report["methods"] = {str(result.method): figures(result, measure) for result in results}
    if len(results) == 2:
        draw(results, measure, out / PICTURE)
        show(results, measure)
        print(out / PICTURE)


def read_report(folder: Path) -> dict[str, Any] | None:
    """The report of a finished quickstart, or None; one without a method is data2vec 1's."""
    path = folder / "report.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    found["settings"].setdefault("method", 1)
    return found


def difference(mine: Mapping[str, Any], others: Mapping[str, Any]) -> str:
    """A setting that differs between two runs without being part of the method; empty if there is none."""
    plain = json.loads(json.dumps(dict(mine)))  # tuples are lists in a report
    for name in sorted({*plain, *others} - {*OF_A_METHOD}):
        if plain.get(name) != others.get(name):
            return f"its `{name}` is {others.get(name)}, here it is {plain.get(name)}"
    return "" if plain["method"] != others["method"] else f"it is also of {NAMES[plain['method']]}"


def figures(result: Result, measure: Measure) -> dict[str, float]:
    """A method's entry in report.json."""
    starts = {f"{measure.key}_{start}": result.report[f"{measure.key}_{start}"] for start in ("pretrained", "scratch")}
    return {**starts, "seconds_pretraining": round(result.seconds, 1)}


def by_seconds(curves: Mapping[str, Series], begin: float = 0.0) -> dict[str, Timed]:
    """Curves over the logged seconds of training, which started at second ``begin``."""
    wall = curves.get("train_inner/wall")
    if wall is None:
        return {}
    return {
        name: Timed(tuple(begin + seconds_at(wall, update) for update in series.updates), series.values)
        for name, series in curves.items()
    }


def seconds_at(wall: Series, update: int) -> float:
    """Seconds up to an update, interpolated between the logged ones around it."""
    place = bisect_left(wall.updates, update)
    if place == len(wall.updates):
        return wall.values[-1]
    before, begin = (wall.updates[place - 1], wall.values[place - 1]) if place else (0, 0.0)
    share = (update - before) / max(wall.updates[place] - before, 1)
    return begin + share * (wall.values[place] - begin)


def show(results: list[Result], measure: Measure) -> None:
    """Print a column for each method."""
    rows = [
        (f"{measure.name}, pre-trained", *(f"{r.report[f'{measure.key}_pretrained']:.1f} %" for r in results)),
        (f"{measure.name}, from scratch", *(f"{r.report[f'{measure.key}_scratch']:.1f} %" for r in results)),
        ("seconds of pre-training", *(f"{result.seconds:.0f}" for result in results)),
        ("updates of pre-training", *(str(r.report["updates_pretraining"]) for r in results)),
    ]
    print()
    print_table("both methods", ("", *(NAMES[result.method] for result in results)), rows)


def draw(results: list[Result], measure: Measure, path: Path) -> None:
    """Plot pre-training and the results of fine-tuning over wall time."""
    with picture(path, STYLE, 2, 2, figsize=(12, 9.2)) as (figure, panels):
        curves = {result.method: result.curves("pretrain") for result in results}
        for axes, metric, title, unit in (
            (panels[0, 0], "unexplained", "Pre-training: what the student misses", "share of the targets' variance"),
            (panels[0, 1], "target_var", "Pre-training: targets", "mean standard deviation"),
        ):
            for method, each in curves.items():
                line(axes, each.get(f"train_inner/{metric}"), NAMES[method], COLOURS[method])
            finish(axes, title, unit)
            axes.set_xlabel("seconds")
        panels[0, 0].set_ylim(0, min(panels[0, 0].get_ylim()[1], 1.5))
        caption(panels[0, 0], "Predicting the mean gives 1. The targets of the two methods are not the same.")
        draw_tuning(panels[1, 0], results, measure)
        draw_bars(panels[1, 1], results, measure)
        seed = results[0].report["settings"]["seed"]
        figure.suptitle(f"data2vec 1 and 2.0 over wall time, seed {seed}", x=0.06, ha="left", fontsize=14)
        figure.subplots_adjust(0.06, 0.115, 0.97, 0.90, wspace=0.20, hspace=0.52)


def draw_tuning(axes: Any, results: list[Result], measure: Measure) -> None:
    """Fine-tuning, which starts where pre-training ended, and the same model from scratch, which starts at 0."""
    for result in results:
        name, colour = NAMES[result.method], COLOURS[result.method]
        line(axes, result.curves("finetune", result.seconds).get(measure.curve), name, colour, marker="o")
        scratch = result.curves("scratch").get(measure.curve)
        line(axes, scratch, f"{name}, from scratch", GREY if result.method == 1 else "#a0a0a0", marker=".")
    finish(axes, f"Fine-tuning: valid {measure.name}", f"{measure.name} (%)")
    axes.set_xlabel("seconds, those of pre-training included")
    caption(axes, "Labels, updates and settings with labels are the same for all four.")


def draw_bars(axes: Any, results: list[Result], measure: Measure) -> None:
    """The test results of both, with the seconds of their pre-training below."""
    for offset, start in ((-0.19, "pretrained"), (0.19, "scratch")):
        values = [result.report[f"{measure.key}_{start}"] for result in results]
        colours = [COLOURS[result.method] if start == "pretrained" else GREY for result in results]
        bars = axes.bar([place + offset for place in range(len(results))], values, 0.36, color=colours)
        axes.bar_label(bars, fmt="%.1f", padding=2)
    names = [f"{NAMES[result.method]}\n{result.seconds:.0f} s of pre-training" for result in results]
    axes.set_xticks(range(len(results)), names)
    axes.grid(visible=False, axis="x")
    axes.set_title(f"Test: {measure.name} (grey: from scratch)")
    axes.set_ylabel(f"{measure.name} (%)")
