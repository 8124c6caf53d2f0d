"""`data2vec sentences`: own labelled sentences, read back by fairseq's stock task."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest
from glue_files import Row, pair, sentence, write_gpt2_bpe, write_lines, write_sentencepiece

from data2vec_plugin.cli.main import main

pytest.importorskip("fairseq")


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    pytest.importorskip("sentencepiece")
    return write_sentencepiece(tmp_path_factory.mktemp("pieces"))


def rows(count: int, labels: tuple[str, ...] = ("good", "bad")) -> List[Row]:
    return [("label", "sentence"), *((labels[n % len(labels)], sentence(n)) for n in range(count))]


def write_own(folder: Path) -> Path:
    write_lines(folder / "train.tsv", rows(12), mark=True, end="\r\n")
    write_lines(folder / "valid.tsv", rows(6))
    return folder


def run(root: Path, out: Path, subwords: tuple[Path, Path], *options: str) -> int:
    coder, dictionary = subwords
    kind = "--gpt2-bpe" if coder.is_dir() else "--sentencepiece"
    words = [kind, str(coder), "--dict", str(dictionary), "--out", str(out), *options]
    return main(["sentences", str(root), *words])


def stock_examples(folder: Path, split: str, num_classes: int = 2) -> List[Any]:
    """(text, label) as fairseq's own task reads them."""
    from fairseq.tasks.sentence_prediction import SentencePredictionConfig, SentencePredictionTask

    cfg = SentencePredictionConfig(data=str(folder), num_classes=num_classes, init_token=0, separator_token=2)
    cfg.no_shuffle, cfg.regression_target, cfg.seed = True, False, 1
    task = SentencePredictionTask.setup_task(cfg)
    names, words = task.label_dictionary, task.source_dictionary
    found = []
    for row in task.load_dataset(split):
        text = "".join(words[number] for number in row["net_input.src_tokens"]).replace("\u2581", " ")
        found.append((text, names[int(row["target"]) + names.nspecial]))
    return found


def test_fairseqs_task_reads_sentences_and_labels(
    tmp_path: Path, pieces: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write_own(tmp_path / "own"), tmp_path / "out" / "data", pieces) == 0
    told = capsys.readouterr().out
    assert "train: 12 examples" in told
    assert "2 classes" in told
    assert "train with task.num_classes=2" in told
    for split, count in (("train", 12), ("valid", 6)):
        wanted = [(f"<s> {text}</s>", label) for label, text in rows(count)[1:]]
        assert stock_examples(tmp_path / "out" / "data", split) == wanted
    assert (tmp_path / "out" / "data" / "label" / "dict.txt").read_text().split()[::2] == ["bad", "good"]


def test_pairs_and_a_test_set(tmp_path: Path, pieces: tuple[Path, Path]) -> None:
    header = ("sentence2", "id", "label", "sentence1")
    for split in ("train", "valid", "test"):
        body = [(pair(n, True)[1], str(n), "abc"[n % 3], pair(n, True)[0]) for n in range(6)]
        write_lines(tmp_path / "own" / f"{split}.tsv", [header, *body])
    assert run(tmp_path / "own", tmp_path / "out", pieces) == 0
    (text, label), *_ = stock_examples(tmp_path / "out", "test", num_classes=3)
    assert (text, label) == ("<s> {}</s></s> {}</s>".format(*pair(0, True)), "a")


def test_gpt2_byte_pairs(tmp_path: Path) -> None:
    assert run(write_own(tmp_path / "own"), tmp_path / "out", write_gpt2_bpe(tmp_path / "gpt2")) == 0
    assert len(stock_examples(tmp_path / "out", "train")) == 12


def test_long_examples_are_counted(
    tmp_path: Path, pieces: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(write_own(tmp_path / "own"), tmp_path / "out", pieces, "--max-positions", "3") == 0
    assert "train: 12 examples, 12 with more than 3 tokens" in capsys.readouterr().out


@pytest.mark.parametrize("out", ["own", ".", "busy"])
def test_nothing_of_the_users_is_replaced(
    tmp_path: Path, pieces: tuple[Path, Path], out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = write_own(tmp_path / "own")
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "thesis.txt").touch()
    assert run(own, tmp_path / out, pieces) == 1
    assert "would be replaced, but holds" in capsys.readouterr().err
    assert (own / "train.tsv").is_file()
    assert (tmp_path / "busy" / "thesis.txt").is_file()


def test_binaries_of_before_are_replaced(tmp_path: Path, pieces: tuple[Path, Path]) -> None:
    own = write_own(tmp_path / "own")
    assert run(own, tmp_path / "out", pieces) == 0
    write_lines(own / "train.tsv", rows(4))
    assert run(own, tmp_path / "out", pieces) == 0
    assert len(stock_examples(tmp_path / "out", "train")) == 4


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ([], r"train.tsv, line 1: got the columns none; expected a header with `label`"),
        ([("text", "label"), ("a", "b")], "line 1: got the columns text, label; expected a header"),
        ([("label", "sentence"), ("good", "a"), ("good", "b")], "its labels are good; expected two or more"),
        ([("label", "sentence"), ("very good", "a"), ("bad", "b")], "the label 'very good' contains a space"),
        ([("label", "sentence"), ("good", "a"), ("bad",)], "train.tsv, line 3"),
        (None, "train.tsv: no such file"),
    ],
)
def test_faults_are_told(
    tmp_path: Path,
    pieces: tuple[Path, Path],
    train: list[Row] | None,
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = write_own(tmp_path / "own")
    (own / "train.tsv").unlink()
    if train is not None:
        write_lines(own / "train.tsv", train)
    assert run(own, tmp_path / "out", pieces) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_label_that_training_has_not_is_told(
    tmp_path: Path, pieces: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    own = write_own(tmp_path / "own")
    write_lines(own / "valid.tsv", [*rows(4), ("dubious", "the old baker")])
    assert run(own, tmp_path / "out", pieces) == 1
    told = capsys.readouterr().err
    assert "valid.tsv, line 6" in told
    assert "dubious" in told
