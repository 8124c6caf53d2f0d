"""`data2vec multimodal convert`: published pickles of CMU-MOSI, CMU-MOSEI and IEMOCAP as folders to train on."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec multimodal`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    convert = actions.add_parser("convert", help="a pickle as published with MulT, read without running what is in it")
    convert.add_argument("pickle", type=Path, help="such as mosi_data_noalign.pkl")
    convert.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for manifests, labels and features")
    convert.add_argument(
        "--keep-padding", action="store_true", help="keep rows of zeros in front: positions as in the published code"
    )


def run(args: argparse.Namespace) -> int:
    """Write every split, and say how large it is.

    Raises:
        ValueError: the file is no such pickle, or cannot be used.
    """
    from ..data.multimodal.from_pickle import convert_pickle

    for split, (kept, dropped) in convert_pickle(args.pickle, args.out, args.keep_padding).items():
        print(
            f"{args.out / split}.tsv: {kept:,} samples" + (f", {dropped:,} without a frame dropped" if dropped else "")
        )
    return 0
