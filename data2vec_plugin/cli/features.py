"""`data2vec features`: frozen features of speech, text or images, from a list of files to .npy or .safetensors.

OUT/index.tsv lists where the features of each item are: id, file, key (a row or a tensor's name), frames, channels.
When the command is run again, also with a longer list, it computes only what is missing.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec features`."""
    add = parser.add_argument
    add("checkpoint", type=Path, help="pre-trained or fine-tuned; its modality decides what --input must list")
    add(
        "--input",
        type=Path,
        required=True,
        metavar="LIST",
        help="speech, images: a folder, a manifest (.tsv), a list with one path per line, or one file; text: a file "
        "with one item per line, or a .tsv with --column",
    )
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder for the features and index.tsv")
    add(
        "--layer",
        default="last",
        metavar="LIST",
        help="Transformer blocks counted from 0, such as 5 or 3,6,9; last: the encoder's output (default: last)",
    )
    add("--teacher", action="store_true", help="use the teacher (EMA of the weights) instead of the student")
    add(
        "--pool",
        choices=("none", "mean", "class_token"),
        default="none",
        help="mean, class_token (images): one vector per item, all in one matrix (default: none)",
    )
    add(
        "--format",
        choices=("npy", "safetensors"),
        default="npy",
        help="npy: one file per item; safetensors: many items per file (default: npy)",
    )
    add("--half", action="store_true", help="write fp16 instead of fp32")
    add(
        "--batch",
        type=float,
        metavar="N",
        help="batch size: seconds of speech (default: 60), tokens (4096) or images (32)",
    )
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    add("--workers", type=int, default=2, metavar="N", help="threads that read files (default: 2)")
    add(
        "--bad-limit",
        type=int,
        default=0,
        metavar="N",
        help="exit with 1 if more than N items were skipped (default: 0)",
    )
    add("--modality", choices=("speech", "text", "image"), help="which encoder of a multimodal checkpoint")
    add(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder that relative paths in a list refer to (default: the current one)",
    )
    text = parser.add_argument_group("text")
    text.add_argument("--column", metavar="NAME", help="column of the .tsv that holds the text")
    add_text(text)


def add_text(group: "argparse._ArgumentGroup") -> None:
    """Declare the options for text models."""
    add = group.add_argument
    add(
        "--dict",
        type=Path,
        metavar="FILE",
        help="dict.txt (default: next to the input or the checkpoint, or in the folder of the training data)",
    )
    subwords = group.add_mutually_exclusive_group()
    subwords.add_argument(
        "--sentencepiece",
        type=Path,
        metavar="MODEL",
        help="the SentencePiece .model (default: spm.model next to dict.txt)",
    )
    subwords.add_argument("--gpt2-bpe", type=Path, metavar="FOLDER", help="folder with encoder.json and vocab.bpe")
    subwords.add_argument(
        "--symbols", action="store_true", help="the text is already tokenised into the dictionary's symbols"
    )
    add(
        "--too-long",
        choices=("skip", "truncate"),
        default="skip",
        help="what to do with lines longer than the model's positions (default: skip)",
    )


def run(args: argparse.Namespace) -> int:
    """Extract the features; 1 if more items were skipped than allowed.

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
