"""`data2vec report RUN…`: the curves of any runs side by side, also while they go on."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..watch.run_log import LOG
from .tables import print_table
from .training_log import INNER, Series, read_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = {
    "loss": "training loss",
    "unexplained": "share of the targets' variance left unexplained (near 0: trivial)",
    "target_var": "targets: mean standard deviation (towards 0: collapse)",
    "pred_var": "predictions: mean standard deviation (towards 0: collapse)",
    "valid/loss": "validation loss",
    "valid/wer": "validation WER (%)",
}
HIGHEST = {"unexplained": 2.0}
"""Where a panel ends: 1 is what predicting the mean gives, and collapsed targets are hundreds of times worse."""
NOTHING = "nothing logged yet"
EPOCHS = "train"


@dataclass(frozen=True)
class Run:
    """A run's name and curves; training's own without a prefix, those of a split as `valid/loss`.

    One that has only begun has no curves.
    """

    name: str
    curves: dict[str, Series]

    @property
    def updates(self) -> str:
        """The last update that was logged, or that there is none."""
        last = max((series.updates[-1] for series in self.curves.values()), default=None)
        return NOTHING if last is None else f"{last:,}"

    def last(self, metric: str) -> str:
        """The newest value of a curve, or a dash."""
        return f"{self.curves[metric].values[-1]:.4g}" if metric in self.curves else "-"

    def best(self, metric: str) -> str:
        """The lowest value of a validation curve and its update, or a dash."""
        if metric not in self.curves:
            return "-"
        series = self.curves[metric]
        value = min(series.values)
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
    runs = [Run(name, named_curves(read_curves(log))) for name, log in zip(names or distinct_names(paths), logs)]
    if not any(each.curves for each in runs):
        raise ValueError(
            f"{', '.join(map(str, logs))}: {NOTHING}; statistics come every `common.log_interval` updates "
            f"and at the end of an epoch, as JSON (common.log_format=json)"
        )
    return runs


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


def named_curves(curves: dict[str, Series]) -> dict[str, Series]:
    """Curves by short name: `loss` for training's; the first validation split's as `valid/…`.

    A run whose epochs are shorter than its log's interval has but the closing lines of its epochs.
    """
    splits = [name.split("/")[0] for name in curves]
    training = INNER if INNER in splits else EPOCHS
    valid = next((split for split in splits if split not in (INNER, EPOCHS)), "")
    short = {}
    for name, series in curves.items():
        split, metric = name.split("/", 1)
        if split == training:
            short[metric] = series
        elif split == valid:
            short[f"valid/{metric}"] = series
    return short


def show(runs: list[Run]) -> None:
    """Print a line for each run, with the columns that any of them has."""
    columns = {metric: [r.last(metric) for r in runs] for metric in ("loss", "unexplained", "target_var", "pred_var")}
    columns["best valid loss"] = [r.best("valid/loss") for r in runs]
    columns["best valid WER"] = [r.best("valid/wer") for r in runs]
    filled = {title: cells for title, cells in columns.items() if set(cells) != {"-"}}
    rows = [(r.name, r.updates, *cells) for r, *cells in zip(runs, *filled.values())]
    print_table("runs, at their last logged update", ("run", "updates", *filled), rows)


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
        handles, labels = legend_entries(panels)
        columns = min(len(labels), 4)
        figure.legend(handles, labels, loc="upper left", ncols=columns, frameon=False, bbox_to_anchor=(0.05, 1))
        lines = -(-len(labels) // max(columns, 1))
        figure.tight_layout(rect=(0, 0, 1, 1 - (0.05 + 0.22 * lines) / figure.get_figheight()))
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
        pyplot.close(figure)


def draw_panel(axes: Axes, runs: list[Run], metric: str) -> None:
    """One metric of all runs; a run keeps its colour in every panel, and one without curves its name in the legend."""
    for number, each in enumerate(runs):
        if each.curves and metric not in each.curves:
            continue
        series = each.curves.get(metric, Series((), ()))
        marked = metric.startswith("valid/") or len(series.updates) == 1  # one point makes no line
        axes.plot(
            *series,
            "-" if number < 10 else "--",
            label=each.name if each.curves else f"{each.name}: {NOTHING}",
            color=f"C{number % 10}",
            marker="o" if marked else "",
            markersize=3,
            linewidth=1.4,
        )
    axes.set_title(PANELS[metric], fontsize=9)
    axes.set_xlabel("updates")
    axes.set_xlim(left=0)
    axes.set_ylim(0, min(axes.get_ylim()[1], HIGHEST.get(metric, math.inf)))


def legend_entries(panels: Any) -> tuple[list[Any], list[str]]:
    """Each run once, in order of first appearance."""
    found: dict[str, Any] = {}
    for axes in panels.flat:
        for handle, label in zip(*axes.get_legend_handles_labels()):
            found.setdefault(label, handle)
    return list(found.values()), list(found)


def matplotlib_pyplot() -> Any:
    """pyplot, drawing to files; raises ValueError with the command if it is not installed."""
    try:
        import matplotlib
    except ImportError as error:
        raise ValueError("`data2vec report` draws with matplotlib: pip install matplotlib") from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
