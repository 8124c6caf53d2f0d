"""`data2vec export`: a trained model as a file that runs without torch and without this package.

A recogniser's file computes log-probabilities of symbols, that of any other checkpoint the encoder's features. Inputs
are `source` (batch, samples) and `lengths` (batch,), how many samples of each row are not padding; outputs are
`log_probs` or `features` (batch, frames, …) and `frames` (batch,). The file's metadata hold its symbols and how audio
is prepared; `data2vec inspect` shows them.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec export`."""
    add = parser.add_argument
    add("checkpoint", type=Path, help="fine-tuned with CTC or pre-trained, or the Hugging Face folder of a recogniser")
    add("--to", choices=("onnx",), required=True, help="onnx: one file for onnxruntime")
    add("--out", type=Path, required=True, metavar="FILE", help="the file to write, such as model.onnx")
    add(
        "--int8",
        action="store_true",
        help="store the weights of matrix products in 8 bits: a quarter of the size, and faster",
    )
    add(
        "--what",
        choices=("ctc", "encoder"),
        help="ctc: log-probabilities; encoder: features (default: ctc if the model has an output layer)",
    )
    add("--opset", type=int, default=17, metavar="N", help="ONNX opset, 17 to 20 (default: 17, the most portable)")
    add(
        "--dict",
        type=Path,
        metavar="FILE",
        help="dictionary of the text or labels (default: in or next to the checkpoint)",
    )
    add("--modality", choices=("speech", "text", "image"), help="which encoder of a multimodal checkpoint")


def run(args: argparse.Namespace) -> int:
    """Export, and print what was written.

    Raises:
        ValueError: the checkpoint cannot be exported this way, a package is missing, or the file's outputs differ
            from torch's.
    """
    from ...export.to_onnx import Export, to_onnx

    job = Export(args.checkpoint, args.out, args.what, args.int8, args.opset, args.dict, args.modality)
    print("\n".join(to_onnx(job)))
    return 0
