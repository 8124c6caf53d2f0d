"""What `glue prepare` writes, read back by fairseq's stock task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from glue_files import DEV, TRAIN, write_dictionary, write_lines

from data2vec_plugin.cli.main import main
from data2vec_plugin.data.text.dictionary_file import load_dictionary
from data2vec_plugin.glue.encoders import gpt2_bpe, sentencepiece
from data2vec_plugin.glue.files import Example, find_sources, read_examples
from data2vec_plugin.glue.tasks import TASKS

pytestmark = pytest.mark.fairseq


def prepare(root: Path, out: Path, subwords: tuple[Path, Path], *options: str) -> int:
    coder, dictionary = subwords
    kind = "--gpt2-bpe" if coder.is_dir() else "--sentencepiece"
    words = [kind, str(coder), "--dict", str(dictionary), "--out", str(out), *options]
    return main(["glue", "prepare", str(root), *words])


def stock_task(folder: Path, name: str) -> Any:
    """fairseq's own task as the published recipes set it up."""
    from fairseq.tasks.sentence_prediction import SentencePredictionConfig, SentencePredictionTask

    task = TASKS[name]
    cfg = SentencePredictionConfig(
        data=str(folder / name), num_classes=task.num_classes, init_token=0, separator_token=2, no_shuffle=True
    )
    cfg.regression_target, cfg.seed = task.regression, 1
    return SentencePredictionTask.setup_task(cfg)


def source_examples(root: Path, name: str, split: str) -> list[Example]:
    source = next(source for source in find_sources(root, TASKS[name]) if source.split == split)
    return list(read_examples(source, []))


@pytest.fixture(scope="module")
def prepared(glue: Path, pieces: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("binaries")
    assert prepare(glue, out, pieces) == 0
    return out


@pytest.mark.parametrize("name", TASKS)
def test_stock_task_reads_the_same_text_and_labels(prepared: Path, glue: Path, name: str) -> None:
    loaded, task = stock_task(prepared, name), TASKS[name]
    dictionary = loaded.source_dictionary
    for split, _ in task.files:
        loaded.load_dataset(split)
        dataset = loaded.dataset(split)
        examples = source_examples(glue, name, split)
        assert len(dataset) == len(examples)
        for row, example in zip(dataset, examples):
            symbols = [dictionary[number] for number in row["net_input.src_tokens"]]
            text = " ".join(symbols).replace(" ", "").replace("\u2581", " ")
            assert text == "<s>" + "</s></s>".join(f" {words}" if words else "" for words in example.sentences) + "</s>"
            if example.label is None:
                assert "target" not in row
            elif task.regression:
                assert row["target"] == pytest.approx([float(example.label)])
            else:
                assert row["target"].tolist() == [task.labels.index(example.label)]


def test_gpt2_byte_pairs(glue: Path, bytes_bpe: tuple[Path, Path], tmp_path: Path) -> None:
    assert prepare(glue, tmp_path, bytes_bpe, "--tasks", "qqp,sts_b") == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["qqp", "sts_b"]
    from fairseq.data.encoders.gpt2_bpe import GPT2BPE, GPT2BPEConfig

    folder = bytes_bpe[0]
    files = {"gpt2_encoder_json": str(folder / "encoder.json"), "gpt2_vocab_bpe": str(folder / "vocab.bpe")}
    bpe = GPT2BPE(GPT2BPEConfig(**files))
    loaded = stock_task(tmp_path, "qqp")
    loaded.load_dataset("valid")
    for row, example in zip(loaded.dataset("valid"), source_examples(glue, "qqp", "valid")):
        text = loaded.source_dictionary.string(row["net_input.src_tokens"])  # without <s> and </s>
        assert bpe.decode(text) == "".join(example.sentences)
    merged = json.loads((folder / "encoder.json").read_text())["the"]
    assert str(merged) in gpt2_bpe(folder)("the baker")


def test_labels_and_dictionary_are_files_of_their_own(prepared: Path, pieces: tuple[Path, Path]) -> None:
    assert (prepared / "mnli/label/dict.txt").read_text() == "entailment 1\nneutral 1\ncontradiction 1\n"
    assert not (prepared / "sts_b/label/dict.txt").exists()
    targets = (prepared / "sts_b/label/train.label").read_text().splitlines()
    assert targets[:3] == ["0", "0.14", "0.28"]  # shares of 5
    for column in ("input0", "input1"):
        assert (prepared / "rte" / column / "dict.txt").read_bytes() == pieces[1].read_bytes()
    assert not (prepared / "cola/input1").exists()


def test_says_what_became_of_each_file(
    glue: Path,
    pieces: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    prepare(glue, tmp_path, pieces, "--max-positions", "20")
    said, warned = capsys.readouterr()
    row = next(line for line in said.splitlines() if "qqp" in line)
    assert f" {TRAIN} " in row
    assert " 2 " in row
    assert "0.000%" in row
    assert f"{DEV} + {DEV}" in next(line for line in said.splitlines() if "mnli" in line)
    assert "WNLI is skipped: too small" in warned
    assert "AX is skipped: the diagnostic set" in warned
    assert "QQP/train.tsv: skipped 2 for train: line 7 (4 columns instead of 6), line 8 (empty sentence)" in warned
    assert "have more than 20 tokens; train with task.shorten_method=truncate" in warned


def test_a_dictionary_of_other_subwords_is_refused(
    glue: Path,
    pieces: tuple[Path, Path],
    bytes_bpe: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert prepare(glue, tmp_path, (pieces[0], bytes_bpe[1]), "--tasks", "rte") == 1
    message = capsys.readouterr().err
    assert "of the subwords of RTE are not among its" in message
    assert "give --dict the dict.txt of the checkpoint" in message
    assert not list(tmp_path.iterdir())


def test_a_few_unknown_subwords_are_counted(
    glue: Path, pieces: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (tmp_path / "rte.tsv", glue / "RTE" / "train.tsv")
    known = pieces[1].read_text(encoding="utf-8").splitlines()
    dictionary = write_dictionary(tmp_path / "dict.txt", [line.split()[0] for line in known])
    rows = [line.split("\t") for line in lines[1].read_text(encoding="utf-8").splitlines()]
    rows[1][1] += " \u20ac"
    for name in ("train", "dev"):
        write_lines(tmp_path / "RTE" / f"{name}.tsv", rows)
    assert prepare(tmp_path, tmp_path / "out", (pieces[0], dictionary)) == 0
    said, warned = capsys.readouterr()
    share = float(next(line for line in said.splitlines() if "rte" in line).split("%")[0].split()[-1])
    assert 0 < share < 3
    assert "not prepared: CoLA, MNLI, MRPC" in warned


def test_what_is_there_stays_until_the_new_is_written(glue: Path, pieces: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "glue"
    for name in ("train", "dev"):
        write_lines(folder / "RTE" / f"{name}.tsv", [("index", "sentence1", "sentence2", "label")])
    (tmp_path / "out" / "rte").mkdir(parents=True)
    (tmp_path / "out" / "rte" / "old").touch()
    assert prepare(folder, tmp_path / "out", pieces) == 1  # no examples
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["rte", "old"]
    assert prepare(glue, tmp_path / "out", pieces, "--tasks", "rte") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["rte"]
    assert not (tmp_path / "out" / "rte" / "old").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [("a 1\nb\n", "line 2: got 'b'"), ("a 1\na 1\n", "line 2: duplicate symbol 'a'"), ("", "is empty")],
)
def test_a_faulty_dictionary_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dict.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"dict\.txt[,:] .*{message}"):
        load_dictionary(tmp_path / "dict.txt")
    with pytest.raises(ValueError, match=r"none\.txt: no such file"):
        load_dictionary(tmp_path / "none.txt")


def test_faulty_subword_files_are_refused(tmp_path: Path, bytes_bpe: tuple[Path, Path]) -> None:
    with pytest.raises(
        ValueError, match=r"encoder\.json: no such file; GPT-2's BPE consists of the files encoder\.json and vocab\.bpe"
    ):
        gpt2_bpe(tmp_path)
    for name in ("encoder.json", "vocab.bpe"):
        (tmp_path / name).write_bytes((bytes_bpe[0] / name).read_bytes())
    symbols = json.loads((tmp_path / "encoder.json").read_text())
    del symbols["the"]
    (tmp_path / "encoder.json").write_text(json.dumps(symbols))
    with pytest.raises(ValueError, match=r"vocab\.bpe produces the symbol 'the', which .*encoder\.json does not have"):
        gpt2_bpe(tmp_path)("the")
    (tmp_path / "encoder.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        gpt2_bpe(tmp_path)
    pytest.importorskip("sentencepiece")
    with pytest.raises(ValueError, match=r"none\.model: no such file"):
        sentencepiece(tmp_path / "none.model")
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        sentencepiece(tmp_path / "vocab.bpe")


def test_a_folder_without_glue_is_refused(
    tmp_path: Path, pieces: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    for root, message in ((tmp_path, "none of GLUE's folders (CoLA, MNLI"), (tmp_path / "none", "no such folder")):
        assert prepare(root, tmp_path / "out", pieces) == 1
        assert message in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["glue", "prepare", str(tmp_path), "--dict", "dict.txt"])
    assert "one of the arguments --gpt2-bpe --sentencepiece is required" in capsys.readouterr().err
    assert main(["glue", "prepare", str(tmp_path), "--gpt2-bpe", ".", "--dict", "d", "a=b"]) == 1
    assert "accepts no overrides; got a=b" in capsys.readouterr().err
