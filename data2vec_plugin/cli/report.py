"""`data2vec report RUN…`: the curves of any runs side by side, also while they go on."""

import argparse
from pathlib import Path


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
    from ..runs.side_by_side import report

    report(args.runs, args.names, args.out)
    return 0
