"""Features of text: those that the model gives to a line alone, and the files that cut it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Sequence

import numpy as np
import pytest
import torch
from features.made import TEXTS, assert_close, classification_checkpoint, features, index, read, text_checkpoint
from glue_files import sentence, write_gpt2_bpe, write_lines, write_sentencepiece
from models.tiny_text import dictionary, tiny_text, trainer_state
from models.tiny_text import section as text_section
from text import write_text


def by_hand(model: Any, texts: Sequence[str] = TEXTS) -> Dict[str, np.ndarray]:
    """What the registered model says of every line alone, by its number."""
    symbols, found = dictionary(), {}
    for number, text in enumerate(texts, start=1):
        ids = torch.tensor([[symbols.bos(), *map(symbols.index, text.split()), symbols.eos()]])
        with torch.no_grad():
            found[f"{number:08d}"] = model.extract_features(ids)[0][0].numpy()
    return found


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return write_text(tmp_path / "data" / "lines.txt", TEXTS, end="\r\n", mark=True)


@pytest.mark.parametrize("settings", [{}, {"encoder__normalize_before": True}, {"encoder__learned_pos": False}])
def test_features_are_the_models_own(tmp_path: Path, lines: Path, settings: Dict[str, Any]) -> None:
    model = text_checkpoint(tmp_path / "model.pt", **settings)
    for name, batch in (("alone", "1"), ("all", "4096")):
        assert features(tmp_path / "model.pt", lines, tmp_path / name, "--symbols", "--batch", batch) == 0
        assert_close(read(tmp_path / name), by_hand(model))
    assert [row["frames"] for row in index(tmp_path / "all")] == ["5", "3", "8", "4", "4"]


def test_teacher_and_mean(tmp_path: Path, lines: Path) -> None:
    model = text_checkpoint(tmp_path / "model.pt")
    options = ("--symbols", "--teacher", "--pool", "mean")
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", *options) == 0
    averaged = model.method.ensure_teacher().module.encoder
    model.encoder.transformer, model.encoder.embedder = averaged.transformer, averaged.embedder
    assert_close(read(tmp_path / "out"), {name: array.mean(0) for name, array in by_hand(model).items()})


def test_without_a_class_token_none_is_taken(tmp_path: Path, lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "model.pt")
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols", "--pool", "class_token") == 1
    assert "`--pool` is class_token, but model `data2vec_text` has no class token" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_fine_tuned(tmp_path: Path, lines: Path) -> None:
    text_checkpoint(tmp_path / "model.pt")
    encoder = classification_checkpoint(tmp_path / "tuned.pt", tmp_path / "model.pt")
    assert features(tmp_path / "tuned.pt", lines, tmp_path / "out", "--symbols") == 0
    assert_close(read(tmp_path / "out"), by_hand(encoder))


def test_columns_of_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = text_checkpoint(tmp_path / "model.pt")
    rows = [("id", "sentence"), *((str(number), text) for number, text in enumerate(TEXTS)), ("9",)]
    table = write_lines(tmp_path / "table.tsv", rows)
    assert features(tmp_path / "model.pt", table, tmp_path / "out", "--symbols", "--column", "sentence") == 1
    assert "table.tsv:7: is empty" in capsys.readouterr().err
    assert_close(read(tmp_path / "out"), {f"{int(n) + 1:08d}": array for n, array in by_hand(model).items()})
    for options in ((), ("--column", "text")):
        assert features(tmp_path / "model.pt", table, tmp_path / "out", "--symbols", *options) == 1
        assert "expected one of the table's: id, sentence" in capsys.readouterr().err


def test_long_lines_are_refused_or_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = text_checkpoint(tmp_path / "model.pt")
    texts = ["w1 w2", "w3 " * 31, "w4 " * 30, ""]
    lines = write_text(tmp_path / "lines.txt", texts)
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols", "--bad-limit", "1") == 1
    told = capsys.readouterr().err
    assert "lines.txt:2: 33 tokens, the model reads at most 32; `--too-long truncate` cuts such lines" in told
    assert "lines.txt:4: is empty" in told
    options = ("--symbols", "--too-long", "truncate", "--bad-limit", "1")
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", *options) == 0
    told = capsys.readouterr()
    assert "3 of 4 items (2 already there, 1 skipped)" in told.out
    assert f"1 lines were cut to 32 tokens: {lines}:2" in told.err
    assert_close(read(tmp_path / "out"), by_hand(model, ["w1 w2", "w3 " * 30, "w4 " * 30]))


def subword_checkpoint(folder: Path, kind: str, task: Dict[str, str] | None = None) -> Path:
    """A checkpoint whose dictionary and subwords lie in the folder of its data."""
    from fairseq.data import Dictionary

    _, dictionary_file = (write_sentencepiece if kind == "sentencepiece" else write_gpt2_bpe)(folder / "data")
    symbols = Dictionary.load(str(dictionary_file))
    symbols.add_symbol("<mask>")
    model = tiny_text(symbols, max_positions=128, transformer__max_source_positions=128)
    cfg = {"model": text_section(max_positions=128, transformer__max_source_positions=128)}
    cfg["task"] = {"_name": "data2vec_masked_lm", "data": str(folder / "data"), **(task or {})}
    path = folder / "model.pt"
    torch.save(trainer_state(cfg, model.state_dict()), path)
    return path


@pytest.mark.parametrize("kind", ["sentencepiece", "gpt2"])
@pytest.mark.parametrize("told", [False, True], ids=["found", "said_by_the_task"])
def test_files_are_found_where_it_was_trained(
    tmp_path: Path, kind: str, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sentencepiece" if kind == "sentencepiece" else "regex")
    path = subword_checkpoint(tmp_path, kind, {"bpe": kind} if told else None)
    lines = write_text(tmp_path / "lines.txt", map(sentence, range(5)))
    assert features(path, lines, tmp_path / "out") == 0
    said = capsys.readouterr()
    assert f"dictionary {tmp_path}/data/dict.txt, subwords {tmp_path}/data/" in said.out
    assert not said.err.replace("\r", "\n").count("unknown")
    given = ("--sentencepiece", f"{tmp_path}/data/spm.model") if kind != "gpt2" else ("--gpt2-bpe", f"{tmp_path}/data")
    assert features(path, lines, tmp_path / "given", "--dict", f"{tmp_path}/data/dict.txt", *given) == 0
    assert_close(read(tmp_path / "out"), read(tmp_path / "given"))


def test_what_cuts_text_is_asked_for(tmp_path: Path, lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "model.pt")
    assert features(tmp_path / "model.pt", lines, tmp_path / "out") == 1
    assert (
        "the checkpoint's task has `bpe` = none, and next to the dictionary nothing was found"
        in capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()


def test_unknown_words_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "model.pt")
    lines = write_text(tmp_path / "lines.txt", ["w1 w2 so what"])
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols") == 0
    assert "2 of 4 subwords are unknown to" in capsys.readouterr().err


def test_dictionary_must_be_there_and_the_right_one(
    tmp_path: Path, lines: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text_checkpoint(tmp_path / "model.pt")
    (tmp_path / "dict.txt").rename(tmp_path / "other.txt")
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols") == 1
    assert f"no dictionary: looked for dict.txt in {lines.parent}, {tmp_path}, gone" in capsys.readouterr().err
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols", "--dict", f"{tmp_path}/no.txt") == 1
    assert f"no dictionary: looked for {tmp_path}/no.txt; give" in capsys.readouterr().err
    write_text(tmp_path / "other.txt", ["w1 1"])
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols", "--dict", f"{tmp_path}/other.txt") == 1
    assert "other.txt has 6 symbols (<mask> included), the checkpoint 25" in capsys.readouterr().err


def test_what_is_not_text_is_told(tmp_path: Path, lines: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text_checkpoint(tmp_path / "model.pt")
    for listed, options, message in (
        (lines.parent, (), "is a folder; for text give a file with one item per line"),
        (lines, ("--column", "a"), "`--column` requires a .tsv of texts"),
        (lines, ("--root", "."), "`--root` requires a list of paths"),
        (tmp_path / "none.txt", (), "none.txt does not exist; give a folder or a list"),
        (
            write_text(tmp_path / "empty.txt", []),
            (),
            "empty.txt has no line; there is nothing to extract features from",
        ),
    ):
        assert features(tmp_path / "model.pt", listed, tmp_path / "out", "--symbols", *options) == 1
        assert message in capsys.readouterr().err
    lines.write_bytes(b"w1\nw\xe9\n")
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols") == 1
    assert "lines.txt, line 2: byte 2 (0xe9) is not UTF-8" in capsys.readouterr().err
