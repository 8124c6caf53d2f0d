"""`data2vec lm`: what beam search needs besides a model. A lexicon, an n-gram language model, and their weights."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any, Type, TypeVar

Settings = TypeVar("Settings")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `data2vec lm`."""
    parts = parser.add_subparsers(dest="part", metavar="lexicon|build|tune", required=True)
    _add_lexicon(parts.add_parser("lexicon", help="words and their spellings, from word lists or transcripts"))
    _add_build(parts.add_parser("build", help="an n-gram language model (ARPA) from text"))
    _add_tune(parts.add_parser("tune", help="find the weights on a validation split"))


def _add_lexicon(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "texts", nargs="+", type=Path, metavar="TEXT", help="word lists, transcripts, .wrd or .ltr of `data2vec labels`"
    )
    add("--dict", dest="dictionary", type=Path, required=True, metavar="FILE", help="the model's dict.ltr.txt")
    add("--out", type=Path, default=Path("lexicon.txt"), metavar="FILE", help="the lexicon (lexicon.txt)")
    add(
        "--case", choices=("keep", "lower", "upper"), help="clean the words as `data2vec labels` does (take them as is)"
    )
    add("--min-count", type=int, default=1, metavar="N", help="leave out words that come less often (1)")
    add("--spm", type=Path, metavar="FILE", help="SentencePiece's model, for a dictionary of its units")
    add("--skip-unknown", action="store_true", help="leave out words that the dictionary cannot spell")


def _add_build(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("texts", nargs="+", type=Path, metavar="TEXT", help="a sentence a line; .wrd or .ltr of `data2vec labels`")
    add("--out", type=Path, default=Path("lm.arpa"), metavar="FILE", help="the ARPA file (lm.arpa)")
    add("--order", type=int, default=3, metavar="N", help="words of the longest n-gram (3)")
    add(
        "--prune",
        type=int,
        nargs="+",
        default=(),
        metavar="N",
        help="leave n-grams out up to this count, by order: 0 0 1",
    )
    add(
        "--units", choices=("word", "char"), default="word", help="char: of letters, to decode without a lexicon (word)"
    )
    add(
        "--vocabulary", type=Path, metavar="FILE", help="a lexicon or word list: other words are unknown (char: a dict)"
    )
    add("--case", choices=("keep", "lower", "upper"), help="clean the text as `data2vec labels` does (take it as is)")
    add(
        "--lmplz",
        dest="with_lmplz",
        action=argparse.BooleanOptionalAction,
        help="count with KenLM's lmplz (where it is on the PATH)",
    )


def _add_tune(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("checkpoint", type=Path, help="a model fine-tuned on transcripts")
    add("manifest", type=Path, help="a validation split's SPLIT.tsv, beside it SPLIT.ltr")
    add("--lexicon", type=Path, metavar="FILE", help="words and their spellings")
    add("--lm-model", type=Path, required=True, metavar="FILE", help="n-gram: ARPA, or KenLM's binary")
    add(
        "--out",
        type=Path,
        default=Path("tuned"),
        metavar="DIR",
        help="folder for tuned.yaml, surface.png, emissions (tuned)",
    )
    add("--labels", default="ltr", metavar="ENDING", help="ending of the label file (ltr)")
    add("--dict", dest="dictionary", type=Path, metavar="FILE", help="the dictionary, where the checkpoint has none")
    add("--device", metavar="DEVICE", help="where the model computes (a GPU if there is one)")
    add("--lm-weights", type=float, nargs="+", metavar="X", help="weights to try (0 to 4)")
    add("--word-scores", type=float, nargs="+", metavar="X", help="word scores to try (-4 to 2)")
    add("--sil-weights", type=float, nargs="+", metavar="X", help="scores of the boundary to try (-1 to 1)")
    add("--beams", type=int, nargs="+", metavar="N", help="beams to try, with the best weights (5 to 200)")
    add("--beam", type=int, default=50, metavar="N", help="beam with which weights are searched (50)")
    add("--processes", type=int, metavar="N", help="processes that decode (the processors, at most 16)")


def run(args: argparse.Namespace) -> int:
    """Make what was asked for."""
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
    """The settings of a kind out of the arguments; what was not given has its default."""
    given: Any = {each.name: getattr(args, each.name) for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in given.items() if value is not None})
