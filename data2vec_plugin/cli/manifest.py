"""`data2vec manifest`: list a folder's audio in the TSV files that fairseq reads.

One file a split: its first line is the root, then `relative path<TAB>number of samples`.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from ..corpora.listing import DEFAULT_VALID_PERCENT, Listing, write_manifests


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec manifest`."""
    add = parser.add_argument
    add("root", nargs="?", type=Path, metavar="DIR", help="folder with audio at any depth")
    add("--csv", type=Path, help="list the files of this table instead: path[, text][, split]")
    add("--out", type=Path, default=Path("data"), help="folder for the manifests (data)")
    add("--ext", default="flac,wav", help="file name extensions to take (flac,wav)")
    add(
        "--split-by-folder",
        choices=("auto", "yes", "no"),
        default="auto",
        help="one manifest per top-level folder: auto takes names such as train-clean-100, dev, "
        "test; no puts everything into train and a random part into valid",
    )
    add(
        "--valid-percent",
        type=float,
        help=f"random part for valid.tsv, when folders do not decide ({DEFAULT_VALID_PERCENT:g}; 0 writes none)",
    )
    add("--seed", type=int, default=1, help="of the random part (1)")
    add("--sample-rate", type=int, default=16000, help="in Hz, of every file (16000)")
    add("--resample-to", type=Path, metavar="NEW", help="write mono copies at that rate there")
    add("--decode", action="store_true", help="read each file to its end, to find broken ones")
    add("--threads", type=int, default=4, help="files to open at a time (4)")


def run(args: argparse.Namespace) -> int:
    """Write the manifests and say what they hold."""
    write_manifests(Listing(**{field.name: getattr(args, field.name) for field in fields(Listing)}))
    return 0
