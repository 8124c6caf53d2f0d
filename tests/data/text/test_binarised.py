"""Raw text becomes what fairseq would have made of it, once, and faults are told with file and line."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, List

import pytest
from fairseq.data import Dictionary, data_utils
from fairseq.data.encoders.gpt2_bpe import GPT2BPE, GPT2BPEConfig
from fairseq.data.encoders.sentencepiece_bpe import SentencepieceBPE, SentencepieceConfig
from text import as_lists, lines, write_subwords, write_text, write_words_dictionary

from data2vec_plugin.data.text import binarised as binarised_text
from data2vec_plugin.data.text.binarised import binarised
from data2vec_plugin.data.text.subwords import Gpt2Bpe, SentencePiece, Spaces
from data2vec_plugin.files.unusable import UnusableFileError


@pytest.fixture
def words(tmp_path: Path) -> Dictionary:
    return write_words_dictionary(tmp_path, lines())


def made(path: Path, dictionary: Dictionary, subwords: Any = None, settings: str = "none", workers: int = 0) -> Path:
    return binarised(path, subwords or Spaces(), dictionary, path.parent / "binarised", settings, workers)


def ids(prefix: Path, dictionary: Dictionary) -> List[List[int]]:
    return as_lists(data_utils.load_indexed_dataset(str(prefix), dictionary))


@pytest.mark.parametrize("kind", ["none", "sentencepiece", "gpt2"])
@pytest.mark.parametrize("workers", [0, 2])
def test_ids_are_those_of_fairseqs_own_encoders(
    tmp_path: Path, kind: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binarised_text, "CHUNK", 7)  # several chunks, the last not full
    rows = [*lines(), "", "  two   spaces ", 'a "rare" book']
    text = write_text(tmp_path / "train.txt", rows)
    encoder: Any = None
    if kind == "none":
        write_words_dictionary(tmp_path, rows[:-1])
        subwords: Any = Spaces()
    elif kind == "sentencepiece":
        write_subwords(tmp_path, kind)
        encoder = SentencepieceBPE(SentencepieceConfig(sentencepiece_model=str(tmp_path / "spm.model")))
        subwords = SentencePiece(tmp_path / "spm.model")
    else:
        write_subwords(tmp_path, kind)
        files = [tmp_path / "encoder.json", tmp_path / "vocab.bpe"]
        encoder = GPT2BPE(GPT2BPEConfig(gpt2_encoder_json=str(files[0]), gpt2_vocab_bpe=str(files[1])))
        subwords = Gpt2Bpe(*files)
    dictionary = Dictionary.load(str(tmp_path / "dict.txt"))
    cut = [encoder.encode(row.strip()) if encoder else row for row in rows]
    wanted = [dictionary.encode_line(row, add_if_not_exist=False).tolist() for row in cut]
    assert ids(made(text, dictionary, subwords, kind, workers), dictionary) == wanted
    assert wanted[-3] == [dictionary.eos()]


def test_line_ends_and_byte_order_mark_are_no_text(tmp_path: Path, words: Dictionary) -> None:
    plain = made(write_text(tmp_path / "plain.txt", lines()), words)
    windows = made(write_text(tmp_path / "windows.txt", lines(), end="\r\n", mark=True), words)
    assert ids(plain, words) == ids(windows, words)
    assert not any(words.unk() in row for row in ids(plain, words))


def test_made_once_and_read_again(tmp_path: Path, words: Dictionary, monkeypatch: pytest.MonkeyPatch) -> None:
    text = write_text(tmp_path / "train.txt", lines())
    first = made(text, words)
    monkeypatch.setattr(binarised_text, "_write", lambda *_: pytest.fail("encoded again"))
    assert made(text, words) == first
    assert sorted(path.suffix for path in first.parent.iterdir()) == [".bin", ".idx", ".json"]


@pytest.mark.parametrize("change", ["text", "dictionary", "model", "half"])
def test_made_again_when_something_changed(tmp_path: Path, words: Dictionary, change: str) -> None:
    text = write_text(tmp_path / "train.txt", lines())
    first, settings = made(text, words), "none"
    if change == "text":  # as long and, as far as its time says, as old as it was
        before = text.stat()
        write_text(text, reversed(lines()))
        os.utime(text, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif change == "dictionary":
        words.add_symbol("another")
    elif change == "model":
        settings = "none, and another model file"
    else:  # a run that was broken off
        Path(f"{first}.idx").unlink()
    again = made(text, words, settings=settings)
    assert (again == first) == (change == "half")
    wanted = [words.encode_line(row, add_if_not_exist=False).tolist() for row in text.read_text().splitlines()]
    assert ids(again, words) == wanted


@pytest.mark.parametrize("damage", ["cut", "emptied", "longer", "index cut", "index emptied", "index of another"])
def test_damaged_binaries_are_made_again_and_said(
    tmp_path: Path, words: Dictionary, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = write_text(tmp_path / "train.txt", lines())
    prefix = made(text, words)
    whole = ids(prefix, words)
    path = Path(f"{prefix}.{'idx' if damage.startswith('index') else 'bin'}")
    content = path.read_bytes()
    other = Path(f"{made(write_text(tmp_path / 'other.txt', lines(7)), words)}.idx").read_bytes()
    if damage.endswith("another"):
        path.write_bytes(other)
    else:
        path.write_bytes({"cut": content[:-30], "emptied": b"", "longer": content + b"\0\0"}[damage.split()[-1]])
    assert made(text, words) == prefix
    assert ids(prefix, words) == whole
    assert "are created again" in caplog.text


def test_a_text_that_moves_is_not_encoded_again(
    tmp_path: Path, words: Dictionary, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(write_text(tmp_path / "train.txt", lines()), words)
    shutil.copytree(tmp_path, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    monkeypatch.setattr(binarised_text, "_write", lambda *_: pytest.fail("encoded again"))
    assert made(tmp_path / "elsewhere" / "train.txt", words).name == first.name


def test_names_with_dots_are_names(tmp_path: Path, words: Dictionary) -> None:
    english = made(write_text(tmp_path / "train.en.txt", lines()), words)
    german = made(write_text(tmp_path / "train.de.txt", reversed(lines())), words)
    assert english != german
    assert ids(english, words) == ids(german, words)[::-1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_byte_that_is_not_utf8_is_told_with_its_line(tmp_path: Path, words: Dictionary, workers: int) -> None:
    text = tmp_path / "train.txt"
    text.write_bytes(b"the old baker\nthe caf\xe9\n")
    with pytest.raises(UnusableFileError, match=r"train\.txt, line 2: byte 8 \(0xe9\) is not UTF-8; .*iconv"):
        made(text, words, workers=workers)


@pytest.mark.parametrize("rows", [[], ["", "   ", "\t"]])
def test_a_text_without_words_is_refused(tmp_path: Path, words: Dictionary, rows: List[str]) -> None:
    with pytest.raises(UnusableFileError, match=rf"train\.txt: has no text: {len(rows)} lines, all of them empty"):
        made(write_text(tmp_path / "train.txt", rows), words)


def test_a_dictionary_of_another_model_is_refused_and_leaves_nothing(tmp_path: Path, words: Dictionary) -> None:
    text = write_text(tmp_path / "train.txt", [*lines(10), *(f"unbekannte wörter {n}" for n in range(4))])
    with pytest.raises(
        UnusableFileError, match=r"train\.txt: \d+ % of its symbols are not in dict\.txt, .*`task\.bpe`"
    ):
        made(text, words)
    assert not list((tmp_path / "binarised").glob("train*"))
    made(write_text(text, [*lines(), "unbekannte wörter"]), words)  # a few are nothing to worry about


def test_a_missing_text_is_told_with_what_may_stand_in_for_it(tmp_path: Path, words: Dictionary) -> None:
    with pytest.raises(UnusableFileError, match=r"valid\.txt: no such file; .* valid\.txt \(raw text\) or valid\.bin"):
        made(tmp_path / "valid.txt", words)
