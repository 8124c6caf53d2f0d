"""`data2vec labels`: write the transcripts of a manifest as letters, subwords or words, for CTC.

For SPLIT.tsv: SPLIT.ltr (`T H E | D O G |`), SPLIT.wrd (`THE DOG`), and one dict.ltr.txt with the
letters of the training splits, most frequent first. `--units bpe`: SPLIT.bpe, dict.bpe.txt and spm.model.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from ..corpora.labelling import Labelling, write_labels
from ..corpora.spelling import CASES
from ..corpora.units import KINDS, UnitSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec labels`."""
    add = parser.add_argument
    add("manifests", nargs="+", type=Path, metavar="MANIFEST", help="TSV files, or folders of them")
    add("--csv", type=Path, help="take the transcripts from this table: path, text")
    add("--out", type=Path, help="folder for the labels and their manifests (beside the TSV)")
    add("--case", choices=sorted(CASES), default="upper", help="of the letters (upper)")
    add(
        "--dict-from",
        metavar="SPLITS",
        help="splits whose letters make the dictionary, with commas (those named train…)",
    )
    add("--dict", type=Path, metavar="FILE", help="check against this dictionary, make none")
    add("--units", choices=KINDS, default="char", help="letters, SentencePiece's subwords, or words (char)")
    add("--size", type=int, default=500, metavar="N", help="how many subwords are learned (500)")
    add("--spm", type=Path, metavar="MODEL", help="take these subwords instead, a SentencePiece .model")
    add("--skip-missing", action="store_true", help="drop clips without transcript, say how many")


def run(args: argparse.Namespace) -> int:
    """Write the labels and the dictionary, after everything has been checked."""
    given = {field.name: getattr(args, field.name) for field in fields(Labelling)}
    write_labels(Labelling(**{**given, "units": UnitSettings(args.units, args.size, args.spm)}))
    return 0
