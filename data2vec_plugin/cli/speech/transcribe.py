"""`data2vec transcribe`: what recordings of any length say, by a recogniser that was trained with CTC.

Without --out the text goes to standard output. Run again, also with more recordings, the command makes what is missing.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec transcribe`."""
    from ...decoding.options import add_beam_arguments

    add = parser.add_argument
    add("checkpoint", type=Path, help="a recogniser: a checkpoint, a folder of Hugging Face's, or an ONNX file")
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="recordings or videos, or folders of them")
    add("--out", type=Path, metavar="FOLDER", help="for the transcripts (standard output)")
    add("--format", default="txt", metavar="LIST", help="of txt, json, srt, vtt, ctm, with commas (txt)")
    add("--overwrite", action="store_true", help="make all anew, whatever is in FOLDER")
    add("--dict", type=Path, metavar="FILE", help="dictionary of the labels, where the checkpoint holds none")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (a GPU if there is one)")
    add("--batch", type=float, default=60, metavar="SECONDS", help="so much audio is computed at a time (60)")
    add("--bad-limit", type=int, default=0, metavar="N", help="exit with 1 if more recordings had to be skipped (0)")
    cutting = parser.add_argument_group("cutting", "of recordings that are longer than a window")
    add = cutting.add_argument
    add(
        "--cut",
        default="pauses",
        metavar="WAY",
        help="in pauses told by loudness, by voice activity (vad: package silero-vad), or overlapping windows alone "
        "(pauses)",
    )
    add("--window", type=float, default=20, metavar="SECONDS", help="longer is cut (20)")
    add("--pause", type=float, default=0.4, metavar="SECONDS", help="the shortest that is cut in (0.4)")
    add_beam_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the transcripts; 1 if more recordings were skipped than allowed.

    Raises:
        ValueError: the checkpoint, an option or the folder cannot be used.
    """
    from ...decoding.options import beam_options
    from ...recognition.pieces.cutting import Cutting
    from ...recognition.transcription.transcribe_files import Job, transcribe

    job = Job(
        checkpoint=args.checkpoint,
        inputs=args.inputs,
        out=args.out,
        formats=args.format,
        dictionary=args.dict,
        beam=beam_options(vars(args)),
        cutting=Cutting(args.cut, args.window, args.pause),
        batch=args.batch,
        device=args.device,
        overwrite=args.overwrite,
        bad_limit=args.bad_limit,
    )
    return transcribe(job)
