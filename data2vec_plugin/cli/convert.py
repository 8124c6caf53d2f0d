"""`data2vec convert`: a fairseq checkpoint to a Hugging Face folder, or back; data2vec 2.0 to upstream's layout."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec convert`."""
    add = parser.add_argument
    add(
        "source",
        type=Path,
        help="--to hf: a fairseq checkpoint; --to fairseq: a Hugging Face folder or a data2vec 2.0 checkpoint",
    )
    add("--to", choices=("hf", "fairseq"), required=True, help="target format; hf: Hugging Face transformers")
    add("--out", type=Path, required=True, metavar="PATH", help="the folder or .pt file to write")
    add("--teacher", action="store_true", help="convert the teacher (EMA of the weights) instead of the student")
    add(
        "--dict",
        type=Path,
        metavar="FILE",
        help="dictionary of the text or labels (default: in or next to the checkpoint)",
    )
    add(
        "--sentencepiece",
        type=Path,
        metavar="MODEL",
        help="text: the SentencePiece .model (default: spm.model next to dict.txt)",
    )
    add("--gpt2-bpe", type=Path, metavar="FOLDER", help="text: folder with encoder.json and vocab.bpe")
    add("--labels", type=Path, metavar="FILE", help="classification: the class names, one per line")


def run(args: argparse.Namespace) -> int:
    """Convert, and print what was written.

    Raises:
        ValueError: there is nothing to convert, or the target format cannot express it.
    """
    from ..checkpoints.for_upstream import to_upstream
    from ..convert.from_hf import from_hf
    from ..convert.modality import Given, check_given
    from ..convert.to_hf import to_hf

    given = Given(args.dict, args.gpt2_bpe, args.sentencepiece, args.labels)
    if args.teacher and args.to == "fairseq":
        raise ValueError("`--teacher`: a Hugging Face folder has no teacher; leave the option out")
    if args.to == "hf":
        lines = to_hf(args.source, args.out, args.teacher, given)
    elif args.source.is_file():
        check_given(given, "checkpoint")
        lines = to_upstream(args.source, args.out)
    else:
        lines = from_hf(args.source, args.out, given)
    print("\n".join(lines))
    return 0
