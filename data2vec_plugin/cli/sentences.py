"""`data2vec sentences`: your own labelled sentences as fairseq's `sentence_prediction` task reads them."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "root", type=Path, metavar="DIR", help="folder with train.tsv, valid.tsv and, optionally, test.tsv"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the binaries")
    subwords = parser.add_mutually_exclusive_group(required=True)
    subwords.add_argument("--gpt2-bpe", type=Path, metavar="FOLDER", help="folder with encoder.json and vocab.bpe")
    subwords.add_argument("--sentencepiece", type=Path, metavar="MODEL", help="a SentencePiece .model")
    parser.add_argument("--dict", type=Path, metavar="FILE", required=True, help="the checkpoint's dict.txt")
    parser.add_argument(
        "--max-positions", type=int, default=512, metavar="N", help="report sentences with more tokens (default: 512)"
    )


def run(args: argparse.Namespace) -> int:
    """Read, encode, write."""
    from ..corpora.sentence_files import encode_sentences
    from ..glue.encoders import gpt2_bpe, sentencepiece

    encode = gpt2_bpe(args.gpt2_bpe) if args.gpt2_bpe else sentencepiece(args.sentencepiece)
    encode_sentences(args.root, args.out, encode, args.dict, args.max_positions)
    return 0
