"""Lexicons and n-grams out of word lists, transcripts and labels, by the command itself."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from data2vec_plugin.cli.main import main
from data2vec_plugin.files.text.arpa import check_arpa
from data2vec_plugin.files.text.lexicons import read_lexicon


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dict.ltr.txt").write_text("| 9\nA 5\nT 4\nC 3\nS 1\n' 1\n")
    (tmp_path / "train.wrd").write_text("A CAT\nCATS SAT\n\nA CAT'S\n")
    (tmp_path / "train.ltr").write_text("A | C A T |\nC A T S | S A T |\n")
    return tmp_path


def spelled(path: Path) -> "dict[str, str]":
    return {spelling.word: " ".join(spelling.symbols) for spelling in read_lexicon(path)}


def test_words_of_transcripts_are_spelled_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lm", "lexicon", "train.wrd", "train.ltr", "--dict", "dict.ltr.txt"]) == 0
    assert spelled(folder / "lexicon.txt") == {
        "A": "A |",
        "CAT": "C A T |",
        "CAT'S": "C A T ' S |",
        "CATS": "C A T S |",
        "SAT": "S A T |",
    }
    assert "lexicon.txt: 5 words" in capsys.readouterr().out


def test_what_cannot_be_spelled_is_told_by_its_line_or_left_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "more.txt").write_text("CAT\nDOG\n")
    words = ["lm", "lexicon", "more.txt", "--dict", "dict.ltr.txt"]
    assert main(words) == 1
    assert "more.txt, line 2: 'DOG' cannot be spelled: 'D' is not in dict.ltr.txt" in capsys.readouterr().err
    assert main([*words, "--skip-unknown"]) == 0
    assert "left out 1 words" in capsys.readouterr().err
    assert spelled(folder / "lexicon.txt") == {"CAT": "C A T |"}


def test_raw_words_are_cleaned_as_labels_are(folder: Path) -> None:
    (folder / "raw.txt").write_text("A cat, a cat's!\n", "utf-8")
    assert main(["lm", "lexicon", "raw.txt", "--dict", "dict.ltr.txt", "--case", "upper", "--min-count", "2"]) == 0
    assert spelled(folder / "lexicon.txt") == {"A": "A |"}


def test_units_are_spelled_by_sentencepiece(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "text.txt").write_text("a cat sat\nthe cats sat there\nthat cat\n" * 20)
    assert main(["subwords", "text.txt", "--out", "spm", "--size", "15"]) == 0
    words = ["lm", "lexicon", "text.txt", "--dict", "spm/dict.txt"]
    assert main(words) == 1
    assert "--spm spm.model" in capsys.readouterr().err
    assert main([*words, "--spm", "spm/spm.model"]) == 0
    found = spelled(folder / "lexicon.txt")
    assert all(spelling.replace(" ", "") == f"▁{word}" for word, spelling in found.items())


def test_words_of_a_dictionary_are_their_own_spelling(folder: Path) -> None:
    (folder / "dict.wrd.txt").write_text("CAT 1\nSAT 1\nA 3\n")
    assert main(["lm", "lexicon", "train.wrd", "--dict", "dict.wrd.txt", "--skip-unknown"]) == 0
    assert spelled(folder / "lexicon.txt")["CAT"] == "CAT"


def test_n_grams_of_words_and_of_letters(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lm", "build", "train.wrd", "--no-lmplz"]) == 0
    assert check_arpa(folder / "lm.arpa")[1] == 8
    assert "interpolated modified Kneser-Ney; too little text" in capsys.readouterr().out
    assert main(["lm", "build", "train.ltr", "--units", "char", "--order", "2", "--out", "c.arpa", "--no-lmplz"]) == 0
    text = (folder / "c.arpa").read_text()
    assert "\tT |" in text
    assert "\tC A" in text
    assert main(["lm", "build", "train.wrd", "--vocabulary", "train.wrd", "--no-lmplz"]) == 0
    assert "SAT" not in (folder / "lm.arpa").read_text()  # the first word of a line is a list's


def fake_lmplz(folder: Path, body: str) -> None:
    path = folder / "bin" / "lmplz"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_lmplz_is_taken_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert main(["lm", "build", "train.wrd", "--no-lmplz", "--out", "ours.arpa"]) == 0
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    fake_lmplz(
        folder,
        f'echo "$@" > {folder}/said; cat > {folder}/text; while [ "$1" != --arpa ]; do shift; done; '
        f'cp {folder}/ours.arpa "$2"',
    )
    assert main(["lm", "build", "train.wrd", "--prune", "0", "0", "1", "--vocabulary", "train.wrd"]) == 0
    assert f"by {folder / 'bin' / 'lmplz'}" in capsys.readouterr().out
    said = (folder / "said").read_text()
    assert "-o 3" in said
    assert "--prune 0 0 1 --limit_vocab_file" in said
    assert (folder / "text").read_text() == "A CAT\nCATS SAT\nA CAT'S\n"
    fake_lmplz(folder, "echo no room >&2; exit 3")
    assert main(["lm", "build", "train.wrd", "--out", "other.arpa"]) == 1
    assert "lmplz exited with code 3: no room" in capsys.readouterr().err
    assert not (folder / "other.arpa").exists()


def test_lmplz_that_is_not_there_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    assert main(["lm", "build", "train.wrd", "--lmplz"]) == 1
    assert "lmplz is not on the PATH" in capsys.readouterr().err


def test_a_model_of_subwords_that_cannot_be_read_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("sentencepiece")
    (tmp_path / "words.txt").write_text("one\n")
    (tmp_path / "dict.txt").write_text("▁one 1\n")
    (tmp_path / "spm.model").write_text("no model")
    words = ["lm", "lexicon", str(tmp_path / "words.txt"), "--dict", str(tmp_path / "dict.txt")]
    assert main([*words, "--spm", str(tmp_path / "spm.model"), "--out", str(tmp_path / "lexicon.txt")]) == 1
    assert "spm.model: not a SentencePiece model" in capsys.readouterr().err
