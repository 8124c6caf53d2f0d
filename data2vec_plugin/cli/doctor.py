"""`data2vec doctor`: what is installed, what was patched and why, what is missing.

Exits with 1 if training could not start. Runs with fairseq, or anything else, broken or missing.
"""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec doctor`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 if training could not start."""
    from ..doctor.examination import examine_and_tell

    return 0 if examine_and_tell(args.json) else 1
