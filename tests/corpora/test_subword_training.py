"""`data2vec subwords`: a model and the dictionary that the text task finds beside the text."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from text import lines, write_text

from data2vec_plugin.cli.main import main

sentencepiece = pytest.importorskip("sentencepiece")


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_dictionary_counts_every_piece_most_frequent_first(tmp_path: Path, kind: str) -> None:
    texts = [write_text(tmp_path / "a.txt", lines(40)), write_text(tmp_path / "b.txt", ["", *lines()[40:]])]
    out = tmp_path / "new" / "data"
    assert main(["subwords", *map(str, texts), "--out", str(out), "--size", "45", "--kind", kind]) == 0
    model = sentencepiece.SentencePieceProcessor(model_file=str(out / "spm.model"))
    counts = dict(line.rsplit(" ", 1) for line in (out / "dict.txt").read_text("utf-8").splitlines())
    special = {"<unk>", "<s>", "</s>"}
    assert set(counts) == {model.id_to_piece(index) for index in range(model.get_piece_size())} - special
    found = Counter(piece for line in lines() for piece in model.encode(line, out_type=str))
    assert {piece: int(count) for piece, count in counts.items() if int(count)} == dict(found)
    numbers = list(map(int, counts.values()))
    assert numbers == sorted(numbers, reverse=True)
    assert len(counts) == 42


def test_the_text_task_trains_on_what_it_writes(tmp_path: Path) -> None:
    pytest.importorskip("fairseq")
    from omegaconf import OmegaConf

    from data2vec_plugin.tasks.data2vec_masked_lm import Data2VecMaskedLMTask
    from data2vec_plugin.tasks.text_config import MaskedTextConfig

    text = write_text(tmp_path / "train.txt", lines())
    assert main(["subwords", str(text), "--out", str(tmp_path), "--size", "45"]) == 0
    cfg = OmegaConf.create({"common": {"seed": 1}})
    keys = {"data": str(tmp_path), "bpe": "sentencepiece", "tokens_per_sample": 60, "encode_workers": 0}
    cfg.task = OmegaConf.merge(OmegaConf.structured(MaskedTextConfig), keys)
    task = Data2VecMaskedLMTask.setup_task(cfg.task)
    task.load_dataset("train")
    dataset = task.dataset("train")
    ids = {int(index) for row in range(len(dataset)) for index in dataset.blocks[row]}
    assert task.source_dictionary.unk() not in ids
    assert len(ids) > 30


def test_faults_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, out = tmp_path / "train.txt", str(tmp_path / "out")
    assert main(["subwords", str(text), "--out", out]) == 1
    assert "train.txt: no such file; give text files" in capsys.readouterr().err
    write_text(text, lines())
    assert main(["subwords", str(text), "--out", out, "--size", "5000"]) == 1
    assert "could not learn 5000 subwords from this text" in capsys.readouterr().err
    text.write_bytes("\n".join(lines()).encode() + b"\nthe caf\xe9\n")
    assert main(["subwords", str(text), "--out", out, "--size", "45"]) == 1
    assert "train.txt, line 61: byte 8 (0xe9) is not UTF-8; convert the file" in capsys.readouterr().err
    assert not (tmp_path / "out" / "dict.txt").exists()
