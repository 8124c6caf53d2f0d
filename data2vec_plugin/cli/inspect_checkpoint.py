"""`data2vec inspect`: what checkpoints are, without running anything that is in them.

Tensors stay in their files. Exits with 1 if a file cannot be read, or could run code.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec inspect`."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a checkpoint, or a Hugging Face folder")
    parser.add_argument("--json", action="store_true", help="print an object a file, each on a line of its own")


def run(args: argparse.Namespace) -> int:
    """Print what each file is; 1 if one could not be read."""
    from ..checkpoints.inspection import inspect

    return 0 if inspect(args.files, args.json) else 1
