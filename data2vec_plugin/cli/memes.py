"""`data2vec memes report RUN --data DATA`: what a trained meme classifier gets right, beside each part alone."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec memes`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    report = actions.add_parser("report", help="metrics, image and text alone, what is most wrong; as JSON and PNG")
    add = report.add_argument
    add("run", type=Path, help="save folder of a run, of which the best checkpoint is taken, or a checkpoint")
    add("--data", type=Path, required=True, metavar="FOLDER", help="with the splits, as `task.data`")
    add(
        "--out", type=Path, metavar="FOLDER", help="for report.json and report.png (memes-report beside the checkpoint)"
    )
    add("--split", default="valid", help="what is scored (valid); one that chose nothing is the honest one")
    add("--train-split", default="train", help="what the MLPs beside it are fitted on (train)")
    add("--epochs", type=int, default=30, metavar="N", help="of these MLPs (30)")
    add("--smoothing", type=float, metavar="F", help="of the run's validation accuracy (the run's `task.smoothing`)")
    add("--worst", type=int, default=20, metavar="N", help="how many memes that are most wrong are listed (20)")
    add("--device", metavar="NAME", default="cpu", help="cpu or cuda (cpu)")
    add("--ocr", choices=("sidecar", "tesseract", "none"), help="where text comes from (as the run had it)")
    add("--positive", metavar="NAME", help="the class folder with label 1 (as the run had it)")


def run(args: argparse.Namespace) -> int:
    """Write the report.

    Raises:
        ValueError: the checkpoint or the data cannot be used.
    """
    from ..memes.report import Wanted, report

    out = args.out or (args.run if args.run.is_dir() else args.run.parent) / "memes-report"
    names = ("split", "train_split", "smoothing", "epochs", "worst", "device", "ocr", "positive")
    report(Wanted(args.run, args.data, out, **{name: getattr(args, name) for name in names}))
    return 0
