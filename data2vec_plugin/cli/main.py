"""`data2vec COMMAND …`: finds the command's module and runs it.

A command's module defines `add_arguments(parser)` and `run(args) -> int`. It is imported
only when the command is called, so that `data2vec doctor` works where nothing else does. A command
that starts trainings gets hydra's overrides, from anywhere on the command line, as `args.overrides`.
"""

import argparse
import sys
from importlib import import_module
from typing import Dict, List, NamedTuple, Optional


class Command(NamedTuple):
    """The module of a subcommand, and its line in `data2vec --help`."""

    module: str
    help: str
    takes_overrides: bool = False


COMMANDS: Dict[str, Command] = {
    "doctor": Command("data2vec_plugin.cli.doctor", "show what is installed, patched or missing"),
    "preflight": Command(
        "data2vec_plugin.cli.runs.preflight", "check data, checkpoints, disk and memory before a training or a decoding"
    ),
    "manifest": Command("data2vec_plugin.cli.manifest", "list audio files for training"),
    "labels": Command("data2vec_plugin.cli.labels", "write transcripts and their dictionary"),
    "subwords": Command("data2vec_plugin.cli.subwords", "train a subword model on text, and write its dictionary"),
    "sentences": Command("data2vec_plugin.cli.sentences", "encode your own labelled sentences for fine-tuning"),
    "lm": Command(
        "data2vec_plugin.cli.speech.lm", "build a lexicon and an n-gram for beam search, and tune their weights"
    ),
    "features": Command("data2vec_plugin.cli.features", "extract frozen features from speech, text or images"),
    "transcribe": Command("data2vec_plugin.cli.speech.transcribe", "transcribe recordings to text, JSON or subtitles"),
    "demo": Command("data2vec_plugin.cli.speech.demo", "show in the browser what a recogniser hears"),
    "multimodal": Command(
        "data2vec_plugin.cli.multimodal", "prepare multimodal sequences for training, predict on raw clips"
    ),
    "memes": Command("data2vec_plugin.cli.memes", "report what a trained meme classifier gets right and wrong"),
    "convert": Command("data2vec_plugin.cli.convert", "convert checkpoints to and from Hugging Face models"),
    "align": Command(
        "data2vec_plugin.cli.speech.align", "align known texts with their recordings, and find those that do not match"
    ),
    "export": Command("data2vec_plugin.cli.speech.export", "export a trained model to ONNX, which runs without torch"),
    "inspect": Command(
        "data2vec_plugin.cli.inspect_checkpoint", "describe a checkpoint without executing anything in it"
    ),
    "recipes": Command("data2vec_plugin.cli.recipes", "list or copy the training recipes"),
    "report": Command("data2vec_plugin.cli.report", "plot the curves of several runs side by side"),
    "glue": Command("data2vec_plugin.cli.glue", "prepare, fine-tune and tabulate the GLUE tasks", takes_overrides=True),
}


def build_parser(chosen: Optional[str] = None) -> argparse.ArgumentParser:
    """The parser, with the options of the chosen command only."""
    parser = argparse.ArgumentParser(prog="data2vec", description="data2vec for fairseq")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.help, description=command.help)
        if name == chosen:
            import_module(command.module).add_arguments(subparser)
    return parser


def main(argv: Optional[List[str]] = None) -> int:
    """Runs one command; returns its exit code (1 for bad input, reported in one line)."""
    arguments = sys.argv[1:] if argv is None else argv
    chosen = next((word for word in arguments if word in COMMANDS), None)
    parser = build_parser(chosen)
    args, rest = parser.parse_known_args(arguments)
    args.overrides = [word for word in rest if COMMANDS[args.command].takes_overrides and not word.startswith("-")]
    if len(args.overrides) < len(rest):
        parser.error(f"unrecognized arguments: {' '.join(word for word in rest if word not in args.overrides)}")
    try:
        return int(import_module(COMMANDS[args.command].module).run(args))
    except (ValueError, OSError) as error:
        print(f"data2vec {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
