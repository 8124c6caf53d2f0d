"""`data2vec manifest`: list a folder's audio in the TSV files that fairseq reads.

One file per split: its first line is the root, then `relative path<TAB>number of samples`.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from ..corpora.listing import DEFAULT_VALID_PERCENT, Listing, write_manifests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec manifest`."""
    add = parser.add_argument
    add("root", nargs="?", type=Path, metavar="DIR", help="folder with audio at any depth")
    add("--csv", type=Path, help="list the files of this table instead, with columns path[, text][, split]")
    add("--out", type=Path, default=Path("data"), help="folder for the manifests (default: data)")
    add("--ext", default="flac,wav", help="comma-separated file name extensions to list (default: flac,wav)")
    add(
        "--split-by-folder",
        choices=("auto", "yes", "no"),
        default="auto",
        help="yes: one manifest per top-level folder; no: everything goes to train, and a random part to valid; "
        "auto: yes if folders have names such as train-clean-100, dev, test (default: auto)",
    )
    add(
        "--valid-percent",
        type=float,
        help="percentage that goes to valid.tsv if folders do not decide; 0 writes none "
        f"(default: {DEFAULT_VALID_PERCENT:g})",
    )
    add("--seed", type=int, default=1, help="seed of the random part (default: 1)")
    add("--sample-rate", type=int, default=16000, help="sample rate that every file must have, in Hz (default: 16000)")
    add("--resample-to", type=Path, metavar="NEW", help="write mono copies at that rate to this folder")
    add("--decode", action="store_true", help="decode each file to its end, to find broken ones")
    add("--threads", type=int, default=4, help="files to open at a time (default: 4)")


def run(args: argparse.Namespace) -> int:
    """Write the manifests and print what they hold."""
    write_manifests(Listing(**{field.name: getattr(args, field.name) for field in fields(Listing)}))
    return 0
