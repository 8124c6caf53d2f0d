"""`data2vec memes report RUN --data DATA`: how good a trained meme classifier is, compared with image or text only."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec memes`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "metrics, comparison with image only and text only, worst mistakes; as JSON and PNG"
    report = actions.add_parser("report", help=text, description=text)
    add = report.add_argument
    add("run", type=Path, help="save folder of a run (its best checkpoint is used), or a checkpoint")
    add("--data", type=Path, required=True, metavar="FOLDER", help="folder with the splits, as in `task.data`")
    add(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder for report.json and report.png (default: memes-report next to the checkpoint)",
    )
    add(
        "--split",
        default="valid",
        help="split to score; use one that was not used to choose the checkpoint (default: valid)",
    )
    add("--train-split", default="train", help="split that the MLPs of the comparison are trained on (default: train)")
    add("--epochs", type=int, default=30, metavar="N", help="epochs of these MLPs (default: 30)")
    add(
        "--smoothing",
        type=float,
        metavar="F",
        help="smoothing of the run's validation accuracy (default: the run's `task.smoothing`)",
    )
    add("--worst", type=int, default=20, metavar="N", help="how many of the worst mistakes to list (default: 20)")
    add("--device", metavar="NAME", default="cpu", help="cpu or cuda (default: cpu)")
    add("--ocr", choices=("sidecar", "tesseract", "none"), help="source of the text (default: as in the run)")
    add("--positive", metavar="NAME", help="the class folder with label 1 (default: as in the run)")


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
