"""`data2vec inspect`: describe checkpoints without executing anything in them.

Tensors are not loaded. Exits with 1 if a file cannot be read or could run code.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec inspect`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a checkpoint, or a Hugging Face folder")
    parser.add_argument("--json", action="store_true", help="print one JSON object per file and line")


def run(args: argparse.Namespace) -> int:
    """Describe each file; 1 if one could not be read."""
    from ..checkpoints.inspection import inspect

    return 0 if inspect(args.files, args.json) else 1
