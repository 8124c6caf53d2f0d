"""`data2vec align`: the time of each word and letter of a known text, and the texts that do not match their audio.

Texts are found where `data2vec labels` finds them: in LibriSpeech's .trans.txt, in a .txt named after the recording, in
a table. OUT/scores.tsv lists all recordings, worst match first.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec align`."""
    add = parser.add_argument
    add(
        "checkpoint",
        type=Path,
        help="a CTC recogniser: a checkpoint, a Hugging Face folder, or an ONNX file from `data2vec export`",
    )
    add(
        "--audio",
        type=Path,
        required=True,
        metavar="PATH",
        help="a recording, a folder of them, a manifest (.tsv), or a table (.csv, .tsv) with columns path and text",
    )
    add(
        "--text",
        type=Path,
        metavar="FILE",
        help="the text of one recording; for a manifest or folder, a table with columns path and text; for a "
        "manifest, also its .wrd or .ltr",
    )
    add("--out", type=Path, metavar="FOLDER", help="folder for the results and scores.tsv (default: print CTM)")
    add("--format", default="ctm", metavar="LIST", help="comma-separated: ctm, textgrid, srt, vtt, json (default: ctm)")
    add("--letters", action="store_true", help="also write a CTM of letters; TextGrid and JSON always include them")
    add("--worst", type=int, default=0, metavar="N", help="print the N recordings that match their text worst")
    add(
        "--bad-limit",
        type=int,
        default=0,
        metavar="N",
        help="exit with 1 if more than N recordings were skipped (default: 0)",
    )
    add("--dict", type=Path, metavar="FILE", help="dictionary of the labels (default: in or next to the checkpoint)")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (default: a GPU if there is one)")


def run(args: argparse.Namespace) -> int:
    """Align; 1 if more recordings were skipped than allowed.

    Raises:
        ValueError: the model, the lists or the folder cannot be used.
    """
    from ...alignment.corpus import Job, align_corpus

    formats = tuple(dict.fromkeys(each.strip().lower() for each in args.format.split(",") if each.strip()))
    job = Job(
        checkpoint=args.checkpoint,
        audio=args.audio,
        text=args.text,
        out=args.out,
        formats=formats,
        letters=args.letters,
        worst=args.worst,
        bad_limit=args.bad_limit,
        dictionary=args.dict,
        device=args.device,
    )
    return align_corpus(job)
