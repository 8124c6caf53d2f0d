"""`data2vec report RUN…`: the curves of several runs side by side, also while they are running."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec report`."""
    add = parser.add_argument
    add("runs", nargs="+", type=Path, metavar="RUN", help="save folder of a run, or its log file")
    add("--out", type=Path, default=Path("report.png"), help="the image to write (default: report.png)")
    add("--names", nargs="+", metavar="NAME", help="names of the runs in the plot (default: their folders' names)")


def run(args: argparse.Namespace) -> int:
    """Print a table of the runs and plot their curves.

    Raises:
        ValueError: a run has no log, no run has logged anything, or the number of names is not that of runs.
    """
    from ..runs.side_by_side import report

    report(args.runs, args.names, args.out)
    return 0
