"""`data2vec glue prepare | run | report`: the eight GLUE tasks, from the official files to one table."""

import argparse
from pathlib import Path

from ..glue.runs import RECIPES
from ..glue.tasks import TASKS

RUNS = Path("outputs/glue")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec glue`."""
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    for name, text, declare in (
        ("prepare", "encode the official GLUE download as fairseq binaries", add_prepare),
        ("run", "fine-tune a checkpoint on each task with several seeds", add_run),
        ("report", "print and plot the table, also while runs are still going", add_report),
    ):
        declare(steps.add_parser(name, help=text, description=text))


def add_prepare(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec glue prepare`."""
    add = parser.add_argument
    add("root", type=Path, metavar="DIR", help="the GLUE download: a folder with CoLA, MNLI, …")
    add("--out", type=Path, default=Path("glue-bin"), help="folder for the binaries (default: glue-bin)")
    subwords = parser.add_mutually_exclusive_group(required=True)
    subwords.add_argument("--gpt2-bpe", type=Path, metavar="FOLDER", help="folder with encoder.json and vocab.bpe")
    subwords.add_argument("--sentencepiece", type=Path, metavar="MODEL", help="a SentencePiece .model")
    add("--dict", type=Path, metavar="FILE", required=True, help="the checkpoint's dict.txt")
    add_tasks(parser, "those in DIR")
    add("--max-positions", type=int, default=512, metavar="N", help="report examples with more tokens (default: 512)")


def add_run(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec glue run`."""
    add = parser.add_argument
    add("data", type=Path, metavar="BINARIES", help="the folder that `prepare` wrote")
    add("--checkpoint", type=Path, required=True, metavar="FILE", help="the pre-trained model")
    add_tasks(parser, "all")
    add("--seeds", default="1-5", help="such as 1-5 or 1,2 (default: 1-5)")
    add("--gpus", metavar="LIST", help="such as 0,1: one run at a time on each (default: one run at a time)")
    add("--out", type=Path, default=RUNS, help=f"folder for TASK/seedN (default: {RUNS})")
    add("--config-dir", type=Path, metavar="DIR", help="folder of the recipes (default: those of the package)")
    add("--recipes", choices=RECIPES, default=RECIPES[0], help="glue2: for data2vec 2.0 models (default: glue)")
    add("--list", action="store_true", help="print the commands without running them")
    parser.epilog = "Hydra overrides for all runs may be given anywhere, such as +run=1gpu optimization.max_update=100."


def add_report(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec glue report`."""
    parser.add_argument("out", nargs="?", type=Path, default=RUNS, help=f"folder of the runs (default: {RUNS})")


def add_tasks(parser: argparse.ArgumentParser, default: str) -> None:
    """Declare the option that chooses tasks."""
    parser.add_argument("--tasks", metavar="LIST", help=f"comma-separated: {', '.join(TASKS)} (default: {default})")


def run(args: argparse.Namespace) -> int:
    """Do one step; 1 if a run failed.

    Raises:
        ValueError: an option, a file or a folder is missing or unusable.
    """
    if args.step == "run":
        from ..glue.launch import fine_tune
        from ..glue.runs import Settings

        settings = Settings(args.data, args.checkpoint, args.out, tuple(args.overrides), args.config_dir, args.recipes)
        return 0 if fine_tune(settings, args.tasks, args.seeds, args.gpus, args.list) else 1
    if args.overrides:
        raise ValueError(f"`glue {args.step}` accepts no overrides; got {' '.join(args.overrides)}")
    if args.step == "prepare":
        from ..glue.encoders import gpt2_bpe, sentencepiece
        from ..glue.prepare import prepare

        encode = gpt2_bpe(args.gpt2_bpe) if args.gpt2_bpe else sentencepiece(args.sentencepiece)
        prepare(args.root, args.out, encode, args.dict, args.tasks, args.max_positions)
    else:
        from ..glue.table import report

        report(args.out)
    return 0
