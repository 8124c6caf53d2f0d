"""`data2vec align`: when each word and letter of a known text was said, and which texts do not belong to their audio.

Texts are found where `data2vec labels` finds them: in LibriSpeech's .trans.txt, in a .txt of the recording's name, in a
table. OUT/scores.tsv lists all recordings, those first whose text fits least.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec align`."""
    add = parser.add_argument
    add(
        "checkpoint",
        type=Path,
        help="a recogniser by CTC: a checkpoint, a Hugging Face folder, or an ONNX file of ours",
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
        help="the recording's text; for a manifest or folder a table of path, text; for a manifest also .wrd or .ltr",
    )
    add("--out", type=Path, metavar="FOLDER", help="for the results and scores.tsv (CTM to standard output)")
    add("--format", default="ctm", metavar="LIST", help="ctm, textgrid, srt, vtt, json, with commas (ctm)")
    add("--letters", action="store_true", help="a CTM of letters, too; TextGrid and JSON always hold them")
    add("--worst", type=int, default=0, metavar="N", help="print the N recordings whose text fits least")
    add("--bad-limit", type=int, default=0, metavar="N", help="exit with 1 if more recordings were left out (0)")
    add("--dict", type=Path, metavar="FILE", help="the dictionary of its labels (the one in or beside the checkpoint)")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (a GPU if there is one)")


def run(args: argparse.Namespace) -> int:
    """Align; 1 if more recordings were left out than allowed.

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
