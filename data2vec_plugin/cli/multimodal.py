"""`data2vec multimodal`: training data from published pickles or raw clips; predictions on raw clips.

A table of clips (tab- or comma-separated) has a header and one row per clip: `id`, `text`, `audio` (a file), `vision`
(an image, a folder of frames, or a list with one path per line), `label`. Any stream may be missing, in a row or
altogether.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .features import add_text

if TYPE_CHECKING:
    from ..clips.streams import Wanted

STREAMS = {"vision": "for frames (one row per image)", "text": "for text", "audio": "for speech"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec multimodal`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text, declare in (
        ("convert", "convert a pickle published with MulT, without executing what is in it", add_convert),
        ("encode", "extract data2vec features of raw clips, as splits to train `mtag` on", add_encode),
        ("predict", "predict on raw clips with a trained `mtag`", add_predict),
    ):
        declare(actions.add_parser(name, help=text, description=text))


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec multimodal convert`."""
    add = parser.add_argument
    add("pickle", type=Path, help="such as mosi_data_noalign.pkl")
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder for manifests, labels and features")
    add(
        "--keep-padding",
        action="store_true",
        help="keep leading rows of zeros, so that positions are those of the published code",
    )


def add_encode(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec multimodal encode`."""
    add = parser.add_argument
    add("tables", type=Path, nargs="+", metavar="TABLE", help="one table per split; its file name names the split")
    add("--out", type=Path, required=True, metavar="FOLDER", help="folder for splits and features, for `task.data`")
    add_encoders(parser)


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec multimodal predict`."""
    add = parser.add_argument
    add("run", type=Path, help="save folder of a run (its best checkpoint is used), or a checkpoint")
    add("table", type=Path, help="table of clips; if it has labels, metrics are reported too")
    add("--out", type=Path, required=True, metavar="FILE", help=".tsv, or .json with metrics and counts")
    add("--features", type=Path, metavar="FOLDER", help="keep the features in this folder, and reuse those in it")
    add(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="training data of the run, for its statistics (default: where it was at training)",
    )
    add_encoders(parser)


def add_encoders(parser: argparse.ArgumentParser) -> None:
    """Declare the options for feature extraction."""
    add = parser.add_argument
    for name, what in STREAMS.items():
        add(f"--{name}", type=Path, metavar="CHECKPOINT", help=f"data2vec encoder {what}")
    add(
        "--layer",
        default="last",
        metavar="N",
        help="Transformer block of all encoders, counted from 0; last: their output (default: last)",
    )
    add("--teacher", action="store_true", help="use the teacher (EMA of the weights) instead of the student")
    add(
        "--audio-rate",
        type=float,
        default=10.0,
        metavar="N",
        help="average audio frames down to at most N per second (default: 10)",
    )
    add(
        "--patches",
        action="store_true",
        help="one vision frame per image patch, instead of one per image (the mean)",
    )
    add("--batch", type=float, metavar="N", help="as in `data2vec features`")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    add(
        "--bad-limit",
        type=int,
        default=0,
        metavar="N",
        help="stop if more than N files of a stream are unusable (default: 0)",
    )
    add_text(parser.add_argument_group("text"))


def wanted(args: argparse.Namespace) -> "Wanted":
    """The settings of feature extraction, from the options."""
    from ..clips.streams import Wanted
    from ..features.text_files import Given

    return Wanted(
        encoders={name: getattr(args, name) for name in STREAMS if getattr(args, name) is not None},
        layer=args.layer,
        teacher=args.teacher,
        audio_rate=args.audio_rate,
        patches=args.patches,
        text=Given(args.dict, args.sentencepiece, args.gpt2_bpe, args.symbols),
        truncate=args.too_long == "truncate",
        batch=args.batch,
        device=args.device,
        bad_limit=args.bad_limit,
    )


def run(args: argparse.Namespace) -> int:
    """Do one of the three; 1 if more files were unusable than allowed.

    Raises:
        ValueError: a file, a folder or a run is unusable.
    """
    if args.action == "encode":
        from ..clips.clip_samples import encode_tables

        return 0 if encode_tables(args.tables, args.out, wanted(args)) else 1
    if args.action == "predict":
        from ..clips.predict import Asked, predict

        asked = Asked(args.run, args.table, args.out, wanted(args), args.features, args.data)
        return 0 if predict(asked) else 1
    return convert(args)


def convert(args: argparse.Namespace) -> int:
    """Write every split of a pickle, and print its size."""
    from ..data.multimodal.from_pickle import convert_pickle

    for split, (kept, dropped) in convert_pickle(args.pickle, args.out, args.keep_padding).items():
        print(
            f"{args.out / split}.tsv: {kept:,} samples" + (f", {dropped:,} without frames dropped" if dropped else "")
        )
    return 0
