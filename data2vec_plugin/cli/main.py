"""`data2vec COMMAND …`: finds the command's module and runs it.

A command's module offers `add_arguments(parser)` and `run(args) -> int`. It is imported
only when it is called, so that `data2vec doctor` works where nothing else does. A command
that starts trainings gets hydra's overrides, from anywhere in its line, as `args.overrides`.
"""

import argparse
import sys
from importlib import import_module
from typing import Dict, List, NamedTuple, Optional


class Command(NamedTuple):
    """Where a subcommand lives, and what `data2vec --help` says of it."""

    module: str
    help: str
    takes_overrides: bool = False


COMMANDS: Dict[str, Command] = {
    "doctor": Command("data2vec_plugin.cli.doctor", "say what is installed, mended or missing"),
    "manifest": Command("data2vec_plugin.cli.manifest", "list audio files for training"),
    "labels": Command("data2vec_plugin.cli.labels", "write transcripts and their dictionary"),
    "subwords": Command("data2vec_plugin.cli.subwords", "learn subwords from text, and their dictionary"),
    "sentences": Command("data2vec_plugin.cli.sentences", "encode your own labelled sentences for fine-tuning"),
    "lm": Command(
        "data2vec_plugin.cli.speech.lm", "make a lexicon and an n-gram for beam search, and tune their weights"
    ),
    "features": Command("data2vec_plugin.cli.features", "make frozen features of speech, text or images"),
    "transcribe": Command(
        "data2vec_plugin.cli.speech.transcribe", "write down what recordings say: text, JSON, subtitles"
    ),
    "multimodal": Command(
        "data2vec_plugin.cli.multimodal", "prepare sequences of several modalities, predict from them"
    ),
    "memes": Command("data2vec_plugin.cli.memes", "say what a trained meme classifier gets right and wrong"),
    "convert": Command("data2vec_plugin.cli.convert", "turn checkpoints into Hugging Face models, and back"),
    "align": Command(
        "data2vec_plugin.cli.speech.align", "say when each word of a known text was said, and which do not fit"
    ),
    "export": Command(
        "data2vec_plugin.cli.speech.export", "write a trained model as an ONNX file, which needs no torch"
    ),
    "inspect": Command("data2vec_plugin.cli.inspect_checkpoint", "say what a checkpoint is, without running it"),
    "recipes": Command("data2vec_plugin.cli.recipes", "list or copy the training recipes"),
    "report": Command("data2vec_plugin.cli.report", "draw the curves of runs side by side"),
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
    """Runs one command; returns its exit code (1 for bad input, told in one line)."""
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
