"""`data2vec convert`: a checkpoint of fairseq's into a folder of Hugging Face's, or back; data2vec 2.0 for upstream."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec convert`."""
    add = parser.add_argument
    add(
        "source",
        type=Path,
        help="with --to hf a checkpoint; with --to fairseq a folder, or a checkpoint of data2vec 2.0",
    )
    add("--to", choices=("hf", "fairseq"), required=True, help="hf: Hugging Face's transformers")
    add("--out", type=Path, required=True, metavar="PATH", help="the folder, or the .pt file, to write")
    add("--teacher", action="store_true", help="convert the average of the weights (EMA) instead of the student")
    add("--dict", type=Path, metavar="FILE", help="dictionary of text or labels (the one in or beside the checkpoint)")
    add("--sentencepiece", type=Path, metavar="MODEL", help="text: a .model (spm.model beside dict.txt)")
    add("--gpt2-bpe", type=Path, metavar="FOLDER", help="text: with encoder.json and vocab.bpe")
    add("--labels", type=Path, metavar="FILE", help="classification: names of the classes, one a line")


def run(args: argparse.Namespace) -> int:
    """Convert, and say what was made.

    Raises:
        ValueError: there is nothing to convert, or it cannot be expressed on the other side.
    """
    from ..checkpoints.for_upstream import to_upstream
    from ..convert.from_hf import from_hf
    from ..convert.modality import Given, check_given
    from ..convert.to_hf import to_hf

    given = Given(args.dict, args.gpt2_bpe, args.sentencepiece, args.labels)
    if args.teacher and args.to == "fairseq":
        raise ValueError("`--teacher`: a folder of Hugging Face's holds no teacher; leave it out")
    if args.to == "hf":
        lines = to_hf(args.source, args.out, args.teacher, given)
    elif args.source.is_file():
        check_given(given, "checkpoint")
        lines = to_upstream(args.source, args.out)
    else:
        lines = from_hf(args.source, args.out, given)
    print("\n".join(lines))
    return 0
