"""`data2vec multimodal`: published pickles and raw clips as folders to train on; raw clips and a run to predictions.

A table of clips has a header and a row a clip, with tabs or commas: `id`, `text`, `audio` (a file), `vision` (a
picture, a folder of frames, or a list with a path a line), `label`. Any stream may be missing, in a row or altogether.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .features import add_text

if TYPE_CHECKING:
    from ..clips.streams import Wanted

STREAMS = {"vision": "of frames (a row a picture)", "text": "of text", "audio": "of speech"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec multimodal`."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    convert = actions.add_parser("convert", help="a pickle as published with MulT, read without running what is in it")
    convert.add_argument("pickle", type=Path, help="such as mosi_data_noalign.pkl")
    convert.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for manifests, labels and features")
    convert.add_argument(
        "--keep-padding", action="store_true", help="keep rows of zeros in front: positions as in the published code"
    )
    encode = actions.add_parser("encode", help="data2vec's features of raw clips, as splits to train `mtag` on")
    encode.add_argument("tables", type=Path, nargs="+", metavar="TABLE", help="a split each, called as the file is")
    encode.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="for splits and features: `task.data`"
    )
    add_encoders(encode)
    predict = actions.add_parser("predict", help="what a trained `mtag` says of raw clips")
    predict.add_argument(
        "run", type=Path, help="save folder of a run, of which the best checkpoint is taken, or a file"
    )
    predict.add_argument("table", type=Path, help="of clips; with labels the metrics are told, too")
    predict.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".tsv, or .json with metrics and counts"
    )
    predict.add_argument("--features", type=Path, metavar="FOLDER", help="keep the features there, or go on with them")
    predict.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="what the run was trained on (where it was then): for its statistics",
    )
    add_encoders(predict)


def add_encoders(parser: argparse.ArgumentParser) -> None:
    """Declare what decides how features are made."""
    add = parser.add_argument
    for name, what in STREAMS.items():
        add(f"--{name}", type=Path, metavar="CHECKPOINT", help=f"data2vec encoder {what}")
    add("--layer", default="last", metavar="N", help="block of all encoders, from 0, or last: their output (last)")
    add("--teacher", action="store_true", help="of the average of the weights (EMA) instead of the student")
    add("--audio-rate", type=float, default=10.0, metavar="N", help="frames of audio a second at most, averaged (10)")
    add(
        "--patches",
        action="store_true",
        help="frames of vision are the patches of each picture, not the picture's mean",
    )
    add("--batch", type=float, metavar="N", help="as in `data2vec features`")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (a GPU if there is one)")
    add("--bad-limit", type=int, default=0, metavar="N", help="stop if more files of a stream cannot be used (0)")
    add_text(parser.add_argument_group("text"))


def wanted(args: argparse.Namespace) -> "Wanted":
    """How features are made, out of the options."""
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
    """Do one of the three; 1 if more files were bad than allowed.

    Raises:
        ValueError: a file, a folder or a run cannot be used.
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
    """Write every split of a pickle, and say how large it is."""
    from ..data.multimodal.from_pickle import convert_pickle

    for split, (kept, dropped) in convert_pickle(args.pickle, args.out, args.keep_padding).items():
        print(
            f"{args.out / split}.tsv: {kept:,} samples" + (f", {dropped:,} without a frame dropped" if dropped else "")
        )
    return 0
