"""`data2vec subwords`: train a SentencePiece model on raw text, and write its dictionary."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("text", nargs="+", type=Path, help="text files, one sentence or paragraph per line")
    parser.add_argument("--out", type=Path, required=True, help="folder for spm.model and dict.txt")
    parser.add_argument("--size", type=int, default=8_000, help="number of subwords (default: 8000)")
    parser.add_argument(
        "--kind", choices=("unigram", "bpe"), default="unigram", help="kind of SentencePiece model (default: unigram)"
    )
    parser.add_argument(
        "--sentences",
        type=int,
        default=2_000_000,
        help="train on a sample of at most this many lines (default: 2000000)",
    )


def run(args: argparse.Namespace) -> int:
    """Learn, count, write."""
    from ..corpora.subword_training import train_subwords

    train_subwords(args.text, args.out, args.size, args.kind, args.sentences)
    return 0
