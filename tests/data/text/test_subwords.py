"""Subword encoders: which symbols begin a word, that workers get them, and files that do not fit."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from fairseq.data import Dictionary
from text import lines, write_subwords

from data2vec_plugin.data.text.subwords import GPT2_FILES, Gpt2Bpe, SentencePiece, Spaces, word_starts


def encoder(folder: Path, kind: str) -> Any:
    write_subwords(folder, kind)
    return (
        SentencePiece(folder / "spm.model") if kind == "sentencepiece" else Gpt2Bpe(*(folder / n for n in GPT2_FILES))
    )


@pytest.mark.parametrize("kind", ["sentencepiece", "gpt2"])
def test_words_begin_where_spaces_are(tmp_path: Path, kind: str) -> None:
    subwords = encoder(tmp_path, kind)
    for line in lines(20):
        symbols = subwords.encode(line)
        begun = sum(subwords.starts_word(symbol) for symbol in symbols)
        # byte pairs tell a word by the space before it, which the first of a line has not
        assert begun == len(line.split()) - (kind == "gpt2")


def test_symbols_apart_are_words() -> None:
    assert Spaces().encode(" the  old baker ") == ["the", "old", "baker"]
    assert Spaces().starts_word("baker")


def test_a_worker_that_is_not_forked_gets_the_same_encoder(tmp_path: Path) -> None:
    subwords = encoder(tmp_path, "sentencepiece")
    copied = pickle.loads(pickle.dumps(subwords))
    for path in tmp_path.iterdir():
        path.unlink()
    assert [copied.encode(line) for line in lines(5)] == [subwords.encode(line) for line in lines(5)]


@pytest.mark.parametrize("kind", ["sentencepiece", "gpt2"])
def test_special_symbols_and_filling_begin_words(tmp_path: Path, kind: str) -> None:
    subwords = encoder(tmp_path, kind)
    dictionary = Dictionary.load(str(tmp_path / "dict.txt"))
    dictionary.add_symbol("madeupword0000")
    mask = dictionary.add_symbol("<mask>")
    starts = word_starts(dictionary, subwords)
    assert starts.shape == (len(dictionary),)
    assert starts[: dictionary.nspecial].all()
    assert starts[mask - 1 :].all()
    assert not starts.all()
    inner = next(symbol for symbol in subwords.encode("bakerbaker")[1:])
    assert not starts[dictionary.index(inner)]


def test_missing_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"spm\.model: no such file; expected a SentencePiece model"):
        SentencePiece(tmp_path / "spm.model")
    (tmp_path / "spm.model").write_text("no model")
    with pytest.raises(ValueError, match=r"spm\.model: not a SentencePiece model .*not \.vocab"):
        SentencePiece(tmp_path / "spm.model")
    files = [tmp_path / name for name in GPT2_FILES]
    with pytest.raises(ValueError, match=r"encoder\.json: no such file; .* encoder\.json and vocab\.bpe"):
        Gpt2Bpe(*files)
    write_subwords(tmp_path, "gpt2")
    symbols = json.loads(files[0].read_text("utf-8"))
    files[0].write_text("{")
    with pytest.raises(ValueError, match=r"encoder\.json or vocab\.bpe is damaged"):
        Gpt2Bpe(*files)
    del symbols["the"]
    files[0].write_text(json.dumps(symbols))
    with pytest.raises(ValueError, match=r"vocab\.bpe produces the symbol 'the', which .*encoder\.json does not have"):
        Gpt2Bpe(*files).encode("the")
