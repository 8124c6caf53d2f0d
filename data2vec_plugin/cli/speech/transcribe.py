"""`data2vec transcribe`: transcripts of recordings of any length, by a CTC recogniser.

Without --out the text goes to standard output. When the command is run again, also with more recordings, it writes
only what is missing.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec transcribe`."""
    from ...decoding.options import add_beam_arguments

    add = parser.add_argument
    add("checkpoint", type=Path, help="a recogniser: a checkpoint, a Hugging Face folder, or an ONNX file")
    add("inputs", nargs="+", type=Path, metavar="INPUT", help="recordings or videos, or folders of them")
    add("--out", type=Path, metavar="FOLDER", help="folder for the transcripts (default: standard output)")
    add("--format", default="txt", metavar="LIST", help="comma-separated: txt, json, srt, vtt, ctm (default: txt)")
    add("--overwrite", action="store_true", help="transcribe everything again, even if FOLDER has results")
    add("--dict", type=Path, metavar="FILE", help="dictionary of the labels, if the checkpoint has none")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    add("--batch", type=float, default=60, metavar="SECONDS", help="seconds of audio per batch (default: 60)")
    add(
        "--bad-limit",
        type=int,
        default=0,
        metavar="N",
        help="exit with 1 if more than N recordings were skipped (default: 0)",
    )
    cutting = parser.add_argument_group("cutting", "recordings longer than a window are cut into pieces")
    add = cutting.add_argument
    add(
        "--cut",
        default="pauses",
        metavar="WAY",
        help="pauses: at quiet stretches; vad: by voice activity detection (package silero-vad); windows: only "
        "overlapping windows (default: pauses)",
    )
    add("--window", type=float, default=20, metavar="SECONDS", help="longest piece (default: 20)")
    add("--pause", type=float, default=0.4, metavar="SECONDS", help="shortest pause to cut at (default: 0.4)")
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
