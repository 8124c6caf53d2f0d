"""`data2vec lm`: a lexicon and an n-gram language model for beam search, and their weights."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any, Type, TypeVar

Settings = TypeVar("Settings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec lm`."""
    parts = parser.add_subparsers(dest="part", metavar="lexicon|build|tune", required=True)
    for name, text, declare in (
        ("lexicon", "write a lexicon (words and their spellings) from word lists or transcripts", _add_lexicon),
        ("build", "build an n-gram language model (ARPA) from text", _add_build),
        ("tune", "find the best weights on a validation split", _add_tune),
    ):
        declare(parts.add_parser(name, help=text, description=text))


def _add_lexicon(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "texts", nargs="+", type=Path, metavar="TEXT", help="word lists, transcripts, .wrd or .ltr of `data2vec labels`"
    )
    add("--dict", dest="dictionary", type=Path, required=True, metavar="FILE", help="the model's dict.ltr.txt")
    add(
        "--out",
        type=Path,
        default=Path("lexicon.txt"),
        metavar="FILE",
        help="the lexicon to write (default: lexicon.txt)",
    )
    add(
        "--case",
        choices=("keep", "lower", "upper"),
        help="clean the words as `data2vec labels` does (default: leave them unchanged)",
    )
    add("--min-count", type=int, default=1, metavar="N", help="leave out words that occur less often (default: 1)")
    add("--spm", type=Path, metavar="FILE", help="SentencePiece model, if the dictionary holds its pieces")
    add("--skip-unknown", action="store_true", help="leave out words that the dictionary cannot spell")


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "texts",
        nargs="+",
        type=Path,
        metavar="TEXT",
        help="one sentence per line; or .wrd or .ltr of `data2vec labels`",
    )
    add("--out", type=Path, default=Path("lm.arpa"), metavar="FILE", help="the ARPA file to write (default: lm.arpa)")
    add("--order", type=int, default=3, metavar="N", help="length of the longest n-gram (default: 3)")
    add(
        "--prune",
        type=int,
        nargs="+",
        default=(),
        metavar="N",
        help="drop n-grams with at most this count, one number per order, such as 0 0 1",
    )
    add(
        "--units",
        choices=("word", "char"),
        default="word",
        help="char: an n-gram of letters, to decode without a lexicon (default: word)",
    )
    add(
        "--vocabulary",
        type=Path,
        metavar="FILE",
        help="a lexicon or word list (with --units char: a dictionary); all other words count as unknown",
    )
    add(
        "--case",
        choices=("keep", "lower", "upper"),
        help="clean the text as `data2vec labels` does (default: leave it unchanged)",
    )
    add(
        "--lmplz",
        dest="with_lmplz",
        action=argparse.BooleanOptionalAction,
        help="build with KenLM's lmplz (default: if it is on the PATH)",
    )


def _add_tune(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("checkpoint", type=Path, help="a model fine-tuned on transcripts")
    add("manifest", type=Path, help="SPLIT.tsv of a validation split, with SPLIT.ltr next to it")
    add("--lexicon", type=Path, metavar="FILE", help="words and their spellings (`data2vec lm lexicon`)")
    add("--lm-model", type=Path, required=True, metavar="FILE", help="n-gram: ARPA file or KenLM binary")
    add(
        "--out",
        type=Path,
        default=Path("tuned"),
        metavar="DIR",
        help="folder for tuned.yaml, surface.png and emissions (default: tuned)",
    )
    add("--labels", default="ltr", metavar="ENDING", help="extension of the label file (default: ltr)")
    add("--dict", dest="dictionary", type=Path, metavar="FILE", help="the dictionary, if the checkpoint has none")
    add("--device", metavar="DEVICE", help="cpu, cuda or cuda:N (default: a GPU if there is one)")
    add("--lm-weights", type=float, nargs="+", metavar="X", help="weights of the n-gram to try (default: 0 to 4)")
    add("--word-scores", type=float, nargs="+", metavar="X", help="word scores to try (default: -4 to 2)")
    add("--sil-weights", type=float, nargs="+", metavar="X", help="boundary scores to try (default: -1 to 1)")
    add("--beams", type=int, nargs="+", metavar="N", help="beam sizes to try with the best weights (default: 5 to 200)")
    add("--beam", type=int, default=50, metavar="N", help="beam size while weights are searched (default: 50)")
    add("--processes", type=int, metavar="N", help="decoding processes (default: one per processor, at most 16)")


def run(args: argparse.Namespace) -> int:
    """Run one of the three parts."""
    if args.part == "lexicon":
        from ...corpora.lexicon_making import LexiconSettings, write_lexicon

        write_lexicon(_settings(LexiconSettings, args))
    elif args.part == "build":
        from ...corpora.ngram_making import NgramSettings, build_ngram

        build_ngram(_settings(NgramSettings, args))
    else:
        from ...recognition.tuning import TuneSettings, tune

        tune(_settings(TuneSettings, args))
    return 0


def _settings(kind: Type[Settings], args: argparse.Namespace) -> Settings:
    """The settings from the arguments; options not given keep their defaults."""
    given: Any = {each.name: getattr(args, each.name) for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in given.items() if value is not None})
