"""`data2vec features`: frozen features of speech, text or pictures, from a list of files to .npy or .safetensors.

OUT/index.tsv says where the features of an item are: id, file, key (a row or a tensor's name), frames, channels. Run
again, also with a longer list, the command makes what is missing.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec features`."""
    add = parser.add_argument
    add("checkpoint", type=Path, help="pre-trained or fine-tuned; its model decides what --input lists")
    add(
        "--input",
        type=Path,
        required=True,
        metavar="LIST",
        help="speech, images: a folder, a manifest (.tsv), a file with a path a line, or one file; text: a file "
        "with an item a line, or a .tsv with --column",
    )
    add("--out", type=Path, required=True, metavar="FOLDER", help="for the features and their index.tsv")
    add("--layer", default="last", metavar="LIST", help="blocks from 0, such as 5 or 3,6,9 or last: the output (last)")
    add("--teacher", action="store_true", help="of the average of the weights (EMA) instead of the student")
    add(
        "--pool",
        choices=("none", "mean", "class_token"),
        default="none",
        help="one vector an item, all in one matrix: the mean, or of images what the class token becomes (none)",
    )
    add("--format", choices=("npy", "safetensors"), default="npy", help="a .npy an item, or parts of many (npy)")
    add("--half", action="store_true", help="write fp16 instead of fp32")
    add("--batch", type=float, metavar="N", help="at most so many seconds (60), tokens (4096) or images (32) at a time")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (a GPU if there is one)")
    add("--workers", type=int, default=2, metavar="N", help="threads that read files (2)")
    add("--bad-limit", type=int, default=0, metavar="N", help="exit with 1 if more items had to be skipped (0)")
    add("--modality", choices=("speech", "text", "image"), help="of a checkpoint that is of several")
    add("--root", type=Path, metavar="DIR", help="what a list's relative paths are relative to (where you stand)")
    text = parser.add_argument_group("text")
    text.add_argument("--column", metavar="NAME", help="of the .tsv")
    add_text(text)


def add_text(group: "argparse._ArgumentGroup") -> None:
    """Declare the options that only a text model knows."""
    add = group.add_argument
    add("--dict", type=Path, metavar="FILE", help="dict.txt (beside LIST or the checkpoint, or where it was trained)")
    subwords = group.add_mutually_exclusive_group()
    subwords.add_argument("--sentencepiece", type=Path, metavar="MODEL", help="a .model (spm.model beside dict.txt)")
    subwords.add_argument("--gpt2-bpe", type=Path, metavar="FOLDER", help="with encoder.json and vocab.bpe")
    subwords.add_argument(
        "--symbols", action="store_true", help="the text is cut into the dictionary's symbols already"
    )
    add("--too-long", choices=("skip", "truncate"), default="skip", help="lines with more tokens than positions (skip)")


def run(args: argparse.Namespace) -> int:
    """Make the features; 1 if more items were skipped than allowed.

    Raises:
        ValueError: the checkpoint, the list or the folder cannot be used.
    """
    from ..features.extract import Job, extract
    from ..features.text_files import Given

    job = Job(
        checkpoint=args.checkpoint,
        input=args.input,
        out=args.out,
        layer=args.layer,
        pool=args.pool,
        format=args.format,
        half=args.half,
        teacher=args.teacher,
        batch=args.batch,
        device=args.device,
        workers=args.workers,
        bad_limit=args.bad_limit,
        root=args.root,
        column=args.column,
        text=Given(args.dict, args.sentencepiece, args.gpt2_bpe, args.symbols),
        truncate=args.too_long == "truncate",
        modality=args.modality,
    )
    return extract(job)
