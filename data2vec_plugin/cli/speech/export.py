"""`data2vec export`: a trained model as a file that runs without torch and without this package.

A recogniser becomes log-probabilities of symbols, any other checkpoint the features of its encoder. Inputs are
`source` (batch, samples) and `lengths` (batch,), how many samples of each row are not padding; outputs `log_probs` or
`features` (batch, frames, …) and `frames` (batch,). The file says itself what its symbols are, and how audio is
prepared; `data2vec inspect` shows it.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec export`."""
    add = parser.add_argument
    add("checkpoint", type=Path, help="fine-tuned with CTC, or pre-trained; or a Hugging Face folder of a recogniser")
    add("--to", choices=("onnx",), required=True, help="onnx: one file for onnxruntime")
    add("--out", type=Path, required=True, metavar="FILE", help="the file to write, such as model.onnx")
    add("--int8", action="store_true", help="weights of matrix products in 8 bits: a quarter of the size, and faster")
    add(
        "--what", choices=("ctc", "encoder"), help="log-probabilities or features (ctc, where there is an output layer)"
    )
    add("--opset", type=int, default=17, metavar="N", help="of ONNX, 17 to 20 (17, which every onnxruntime reads)")
    add("--dict", type=Path, metavar="FILE", help="dictionary of text or labels (the one in or beside the checkpoint)")
    add("--modality", choices=("speech", "text", "image"), help="of a checkpoint that is of several")


def run(args: argparse.Namespace) -> int:
    """Export, and say what was made.

    Raises:
        ValueError: the checkpoint is not what is asked for, a package is missing, or the file would not do what torch
            does.
    """
    from ...export.to_onnx import Export, to_onnx

    job = Export(args.checkpoint, args.out, args.what, args.int8, args.opset, args.dict, args.modality)
    print("\n".join(to_onnx(job)))
    return 0
