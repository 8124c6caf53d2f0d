"""`data2vec report RUN…`: the curves of any runs side by side, also while they go on."""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable

from ..runs.run_log import LOG
from ..runs.tables import print_table
from ..runs.training_log import INNER, Series, read_curves

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
"""What is drawn dotted into another metric's panel, and what the panel's title says of it."""
BEST = {
    "loss": ("valid/loss", min),
    "WER": ("valid/wer", min),
    "accuracy": ("valid/accuracy", max),
    "top-5 accuracy": ("valid/accuracy_top5", max),
}
"""Of which metrics the table gives the best value of a validation split, and which value is best."""
HIGHEST = {"unexplained": 2.0}
"""Where a panel ends: 1 is what predicting the mean gives, and collapsed targets are hundreds of times worse."""
NOTHING = "nothing logged yet"
EPOCHS = "train"
VALID = "valid"


@dataclass(frozen=True)
class Run:
    """A run's name and curves; training's own without a prefix, those of a validation split as `valid/loss`.

    One that has only begun has no curves. `splits` says for each `valid/…` which split is compared, `others` on which
    else the run was validated.
    """

    name: str
    curves: dict[str, Series]
    splits: dict[str, str]
    others: dict[str, list[str]]

    @property
    def updates(self) -> str:
        """The last update that was logged, or that there is none."""
        last = max((series.updates[-1] for series in self.curves.values()), default=None)
        return NOTHING if last is None else f"{last:,}"

    def last(self, metric: str) -> str:
        """The newest value of a curve, or a dash."""
        return f"{self.curves[metric].values[-1]:.4g}" if metric in self.curves else "-"

    def best(self, metric: str, better: Callable[[list[float]], float] = min) -> str:
        """The best value of a validation curve and its update, or a dash; what is not finite counts if nothing else."""
        if metric not in self.curves:
            return "-"
        series = self.curves[metric]
        finite = [value for value in series.values if math.isfinite(value)]
        if not finite:
            return self.last(metric)
        value = better(finite)
        return f"{value:.4g} @ {series.updates[series.values.index(value)]:,}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec report`."""
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="save folder of a run, or its log")
    add("--out", type=Path, default=Path("report.png"), help="the picture (report.png)")
    add("--names", nargs="+", metavar="NAME", help="what to call the runs (their folders' names)")


def run(args: argparse.Namespace) -> int:
    """Print a table of the runs and draw their curves.

    Raises:
        ValueError: a run has no log, none has logged anything, or there are not as many names as runs.
    """
    runs = read_runs(args.runs, args.names)
    show(runs)
    draw(runs, args.out)
    print(args.out)
    return 0


def read_runs(paths: list[Path], names: list[str] | None = None) -> list[Run]:
    """The runs, named by what tells their folders apart."""
    if names is not None and len(names) != len(paths):
        raise ValueError(f"`--names` has {len(names)} names for {len(paths)} runs; give one for each")
    logs = [log_of(path) for path in paths]
    curves = [read_curves(log) for log in logs]
    if not any(curves):
        raise ValueError(
            f"{', '.join(map(str, logs))}: {NOTHING}; statistics come every `common.log_interval` updates "
            f"and at the end of an epoch, as JSON (common.log_format=json)"
        )
    splits = common_splits(curves)
    return [named_run(name, each, splits) for name, each in zip(names or distinct_names(paths), curves)]


def log_of(path: Path) -> Path:
    """The log of a run's save folder, or the log that was given."""
    if not path.is_dir():
        return path
    log = path / LOG
    if not log.is_file():
        raise ValueError(f"{path} has no {LOG}: give a run's save folder (checkpoint.save_dir), or its log file")
    return log


def distinct_names(paths: list[Path]) -> list[str]:
    """As few last parts of the paths as tell them apart."""
    parts = [path.resolve().parts for path in paths]
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({number})" for number, path in enumerate(paths, start=1)]


def common_splits(runs: list[dict[str, Series]]) -> dict[str, str]:
    """For each validation metric, as `valid/loss`, the split on which most runs have it; of several the first by name.

    Different splits under one heading would compare what cannot be compared.
    """
    counts = Counter(name for curves in runs for name in curves if name.split("/")[0] not in (INNER, EPOCHS))
    splits: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        split, metric = name.split("/", 1)
        splits.setdefault(f"valid/{metric}", split)
    return splits


def named_run(name: str, curves: dict[str, Series], splits: dict[str, str]) -> Run:
    """A run with its curves by short name: `loss` for training's; those of the splits to be compared as `valid/…`.

    A run whose epochs are shorter than its log's interval has but the closing lines of its epochs.
    """
    training = INNER if any(each.startswith(f"{INNER}/") for each in curves) else EPOCHS
    run = Run(name, {}, splits, defaultdict(list))
    for full, series in curves.items():
        split, metric = full.split("/", 1)
        if split == training:
            run.curves[metric] = series
        elif splits.get(f"valid/{metric}") == split:
            run.curves[f"valid/{metric}"] = series
        elif split not in (INNER, EPOCHS):
            run.others[f"valid/{metric}"].append(split)
    return run


def on_split(runs: list[Run], metric: str) -> str:
    """What a heading says of the split: its name; nothing of `valid`, which headings say anyway, nor of training's."""
    split = runs[0].splits.get(metric, VALID)
    return "" if split == VALID else f" ({split})"


def left_out(runs: list[Run]) -> list[str]:
    """A line for each run that was validated on other splits than those that are compared."""
    lines = [
        f"{each.name} is not validated on {each.splits[metric]}, but on {', '.join(each.others[metric])}"
        for each in runs
        for metric, _ in BEST.values()
        if metric in each.others and metric not in each.curves
    ]
    return list(dict.fromkeys(lines))


def show(runs: list[Run]) -> None:
    """Print a line for each run, with the columns that any of them has."""
    columns = {metric: [r.last(metric) for r in runs] for metric in ("loss", "unexplained", "target_var", "pred_var")}
    for title, (metric, better) in BEST.items():
        columns[f"best valid {title}{on_split(runs, metric)}"] = [r.best(metric, better) for r in runs]
    filled = {title: cells for title, cells in columns.items() if set(cells) != {"-"}}
    rows = [(r.name, r.updates, *cells) for r, *cells in zip(runs, *filled.values())]
    print_table("runs, at their last logged update", ("run", "updates", *filled), rows)
    for line in left_out(runs):
        print(line)


def draw(runs: list[Run], path: Path) -> None:
    """Draw a panel for each metric that any run has.

    Raises:
        ValueError: matplotlib is not installed.
    """
    pyplot = matplotlib_pyplot()
    metrics = [metric for metric in PANELS if any(metric in r.curves for r in runs)]
    rows = max((len(metrics) + 1) // 2, 1)
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True}
    with pyplot.rc_context({**style, "grid.color": "#e6e6e6", "axes.titlelocation": "left"}):
        figure, panels = pyplot.subplots(rows, 2, figsize=(12, 3.2 * rows + 0.7), squeeze=False)
        for axes, metric in zip(panels.flat, metrics):
            draw_panel(axes, runs, metric)
        for axes in panels.flat[len(metrics) :]:
            axes.axis("off")
        lines = draw_legend(figure, panels)
        figure.tight_layout(rect=(0, 0, 1, 1 - (0.05 + 0.22 * lines) / figure.get_figheight()))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


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
    """One metric of one run in the colour of its number; an empty one where it has logged nothing yet."""
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
    """Name each run once above the panels, in order of first appearance; how many lines that takes."""
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


def matplotlib_pyplot() -> Any:
    """pyplot, drawing to files; raises ValueError with the command if it is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise ValueError("`data2vec report` draws with matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
