"""Ids of a SentencePiece model's tokenizer, on English and on what English is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, List

import pytest
from convert.made_text import symbols
from english import paragraphs
from glue_files import sentences, write_dictionary, write_sentencepiece

from data2vec_plugin.convert.sentencepiece_file import Pieces, message, read_pieces
from data2vec_plugin.convert.unigram import tokenizer
from data2vec_plugin.data.text.subwords import SentencePiece

sentencepiece = pytest.importorskip("sentencepiece")
ODD = [
    "  two  spaces ",
    "日本語 x",
    "ﬁne ＡＢＣ naïve cafe\u0301",
    "a\tb\nc",
    "x▁y",
    "😀😀 zz",
    "\u00a0nb\u00a0sp a\u200bb",
    "हिन्दी है I\u0307",
]
WEIGHED = Pieces({"▁a": -1.0, "b": -2.0}, b"", prefix=True, trimmed=True)


def learned(folder: Path, rows: List[str], **options: Any) -> Path:
    """A model of other settings, and its dictionary."""
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(rows), model_prefix=str(folder / "spm"), hard_vocab_limit=False, minloglevel=2, **options
    )
    lines = (folder / "spm.vocab").read_text("utf-8").split("\n")
    write_dictionary(folder / "dict.txt", [line.split("\t")[0] for line in lines if line][3:])
    return folder


def assert_same_ids(folder: Path, rows: List[str]) -> None:
    """As fairseq's, of every line."""
    tokenizers = pytest.importorskip("tokenizers")
    dictionary, pieces = symbols(folder), SentencePiece(folder / "spm.model")
    made = tokenizers.Tokenizer.from_str(json.dumps(tokenizer(dictionary.symbols, read_pieces(folder / "spm.model"))))
    for row in rows:
        wanted = [dictionary.bos(), *map(dictionary.index, pieces.encode(row)), dictionary.eos()]
        assert made.encode(row).ids == wanted, row


def test_ids_of_english_are_fairseqs(tmp_path: Path) -> None:
    # of rows of one sign there are several cuts of the same score
    english = [line for line in paragraphs()[:400] if not re.search(r"([^\w\s])\1", line)]
    learned(tmp_path, english, vocab_size=400, character_coverage=0.9995)
    assert_same_ids(tmp_path, [*english, *ODD])


def test_ids_of_what_a_model_has_never_seen_are_fairseqs(tmp_path: Path) -> None:
    write_sentencepiece(tmp_path)
    assert_same_ids(tmp_path, ODD)


@pytest.mark.parametrize(
    "options",
    [
        {"normalization_rule_name": "identity"},
        {"normalization_rule_name": "nfkc_cf"},
        {"add_dummy_prefix": False},
        {"remove_extra_whitespaces": False},
    ],
)
def test_other_ways_to_normalise(tmp_path: Path, options: Any) -> None:
    rows = list(sentences())[:200]
    assert_same_ids(learned(tmp_path, rows, vocab_size=90, **options), [*rows[::5], "The  Baker ", " a"])


@pytest.mark.parametrize(
    "options", [{"model_type": "bpe"}, {"user_defined_symbols": ["baker"]}, {"byte_fallback": True}]
)
def test_other_kinds_are_refused(tmp_path: Path, options: Any) -> None:
    learned(tmp_path, list(sentences()), vocab_size=350, **options)
    with pytest.raises(ValueError, match=r"spm\.model is no SentencePiece unigram model, or has user-defined"):
        read_pieces(tmp_path / "spm.model")


def test_a_dictionary_without_a_piece_is_refused() -> None:
    with pytest.raises(ValueError, match="the dictionary lacks 1 pieces of the SentencePiece model, such as 'b'"):
        tokenizer(["<s>", "<pad>", "</s>", "<unk>", "▁a", "<mask>"], WEIGHED)


def test_fields_of_a_protocol_buffer() -> None:
    numbers, fixed = bytes([8, 150, 1]), bytes([25, *range(8), 37, *range(4)])
    assert message(numbers + fixed + bytes([18, 2]) + b"hi") == {
        1: 150,
        3: bytes(range(8)),
        4: bytes(range(4)),
        2: b"hi",
    }
