"""`data2vec demo`: a page in the browser that shows what a recogniser hears.

Nothing leaves this computer, and other computers reach the page only if --host allows it.
"""

import argparse
import tempfile
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec demo`."""
    from ...decoding.options import add_beam_arguments

    add = parser.add_argument
    add("checkpoint", type=Path, help="a recogniser: a checkpoint, a Hugging Face folder, or an ONNX file")
    add(
        "--host", default="127.0.0.1", metavar="NAME", help="address to listen at; 0.0.0.0 for all (default: 127.0.0.1)"
    )
    add("--port", type=int, metavar="N", help="port to listen at (default: the first free one from 7860)")
    add("--open", action="store_true", help="open the page in a browser")
    add("--dict", type=Path, metavar="FILE", help="dictionary of the labels, if the checkpoint has none")
    add("--device", metavar="NAME", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    add_beam_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        ValueError: gradio is not installed, or the checkpoint or an option cannot be used.
        OSError: the port is in use.
    """
    from ...decoding.options import beam_options, build_decoder
    from ...demo.app import Demo, imported_gradio
    from ...recognition.recogniser import open_recogniser
    from ...recognition.transcription.transcribing import Transcriber

    imported_gradio()
    recogniser = open_recogniser(args.checkpoint, args.device, args.dict)
    decoder = build_decoder(beam_options(vars(args)), recogniser.symbols, recogniser.blank)
    with tempfile.TemporaryDirectory(prefix="data2vec-demo-") as folder:
        demo = Demo(Transcriber(recogniser, decoder), f"What {args.checkpoint.name} hears", Path(folder))
        demo.build().launch(
            server_name=args.host,
            server_port=args.port,
            inbrowser=args.open,
            share=False,
            allowed_paths=[folder],
        )
    return 0
