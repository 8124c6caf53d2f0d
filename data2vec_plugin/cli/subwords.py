"""`data2vec subwords`: learn SentencePiece subwords from raw text, and write the dictionary that goes with them."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("text", nargs="+", type=Path, help="text files, a sentence or paragraph a line")
    parser.add_argument("--out", type=Path, required=True, help="folder for spm.model and dict.txt")
    parser.add_argument("--size", type=int, default=8_000, help="how many subwords (8000)")
    parser.add_argument("--kind", choices=("unigram", "bpe"), default="unigram", help="SentencePiece's model (unigram)")
    parser.add_argument("--sentences", type=int, default=2_000_000, help="learn from a sample of so many lines")


def run(args: argparse.Namespace) -> int:
    """Learn, count, write."""
    from ..corpora.subword_training import train_subwords

    train_subwords(args.text, args.out, args.size, args.kind, args.sentences)
    return 0
