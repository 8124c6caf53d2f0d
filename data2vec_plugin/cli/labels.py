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
    add("--csv", type=Path, help="read the transcripts from this table, with columns path and text")
    add("--out", type=Path, help="folder for the labels and their manifests (default: next to the TSV)")
    add("--case", choices=sorted(CASES), default="upper", help="case of the letters (default: upper)")
    add(
        "--dict-from",
        metavar="SPLITS",
        help="comma-separated splits that the dictionary is built from (default: those named train…)",
    )
    add("--dict", type=Path, metavar="FILE", help="check against this dictionary instead of building one")
    add(
        "--units",
        choices=KINDS,
        default="char",
        help="char: letters; bpe: SentencePiece subwords; word (default: char)",
    )
    add("--size", type=int, default=500, metavar="N", help="number of subwords to learn (default: 500)")
    add("--spm", type=Path, metavar="MODEL", help="use the subwords of this SentencePiece .model instead")
    add("--skip-missing", action="store_true", help="drop clips without a transcript and report how many")


def run(args: argparse.Namespace) -> int:
    """Write the labels and the dictionary, after everything has been checked."""
    given = {field.name: getattr(args, field.name) for field in fields(Labelling)}
    write_labels(Labelling(**{**given, "units": UnitSettings(args.units, args.size, args.spm)}))
    return 0
