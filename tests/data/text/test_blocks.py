"""Blocks of tokens: fairseq's own where its task has an answer, and told faults where it has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any, List

import pytest
from fairseq.data import Dictionary
from fairseq.tasks.masked_lm import MaskedLMConfig, MaskedLMTask
from text import as_lists, lines, write_binaries, write_words_dictionary

from data2vec_plugin.data.sample_seeds import SampleSeeds
from data2vec_plugin.data.text.blocks import blocks_digest, load_lines, text_blocks
from data2vec_plugin.data.text.masked import MaskedTextDataset

ROWS = [*lines(20), "", *lines(40)[20:], "", "", *lines(60)[40:]]  # three documents
EMPTY = [21, 42, 43]


@pytest.fixture
def words(tmp_path: Path) -> Dictionary:
    return write_words_dictionary(tmp_path, ROWS)


def config(folder: Path, mode: str = "none", tokens: int = 24, **settings: Any) -> MaskedLMConfig:
    cfg = MaskedLMConfig(data=str(folder), sample_break_mode=mode, tokens_per_sample=tokens)
    cfg.seed = 1
    for name, value in settings.items():
        setattr(cfg, name, value)
    return cfg


def blocks(cfg: MaskedLMConfig, words: Dictionary, rows: List[str] = ROWS, split: str = "train") -> Any:
    source = Path(cfg.data) / split
    read = load_lines(write_binaries(source, rows, words), words, source)
    return text_blocks(read, split, cfg, words, source)


def stock_blocks(cfg: MaskedLMConfig, rows: List[str]) -> Any:
    words = Dictionary.load(str(Path(cfg.data) / "dict.txt"))
    write_binaries(Path(cfg.data) / "train", rows, words)
    return MaskedLMTask(cfg, words)._load_dataset_split("train", 1, False)


@pytest.mark.parametrize("tokens", [12, 24, 60])
@pytest.mark.parametrize("mode", ["none", "complete", "complete_doc", "eos"])
def test_blocks_are_those_of_fairseqs_task(tmp_path: Path, words: Dictionary, mode: str, tokens: int) -> None:
    cfg = config(tmp_path, mode, tokens)
    ours = blocks(cfg, words)
    stock = as_lists(stock_blocks(cfg, ROWS))
    if mode == "eos":  # where an empty line would be a sample of nothing but <s> and </s>
        stock = [row for row in stock if len(row) > 2]
    assert as_lists(ours) == stock
    assert ours.sizes.tolist() == [len(row) for row in stock]
    assert max(ours.sizes) <= tokens
    assert {row[0] for row in stock} == {words.bos()}


def test_empty_lines_are_left_out_and_counted_where_a_line_is_a_sample(
    tmp_path: Path, words: Dictionary, caplog: pytest.LogCaptureFixture
) -> None:
    assert len(blocks(config(tmp_path, "eos"), words)) == len(ROWS) - len(EMPTY)
    assert f"skipped {len(EMPTY)} empty lines of {len(ROWS)}" in caplog.text
    caplog.clear()
    blocks(config(tmp_path, "complete_doc"), words)  # there they part documents
    blocks(config(tmp_path, "eos"), words, lines())
    assert "empty lines" not in caplog.text


def test_a_corpus_of_empty_lines_is_refused(tmp_path: Path, words: Dictionary) -> None:
    with pytest.raises(ValueError, match=r"train has no text: 3 lines, all of them empty"):
        blocks(config(tmp_path, "eos"), words, ["", "", ""])
    with pytest.raises(ValueError, match=r"train is empty"):
        blocks(config(tmp_path), words, [])


@pytest.mark.parametrize("mode", ["complete", "complete_doc", "eos"])
def test_a_line_longer_than_a_block_is_refused_with_its_number(tmp_path: Path, words: Dictionary, mode: str) -> None:
    rows = ["", "", *lines(5), " ".join(lines(5)), "", *lines(3)]  # line 8, also where empty lines are left out
    message = (
        rf"train: 1 of {len(rows)} lines are longer than 23 tokens, the longest is line 8 with \d+: "
        r"set `task\.shorten_method=truncate`, .*`task\.tokens_per_sample`, or `task\.sample_break_mode=none`"
    )
    with pytest.raises(ValueError, match=message):
        blocks(config(tmp_path, mode), words, rows)
    assert max(blocks(config(tmp_path, "none"), words, rows).sizes) == 24  # there lines are cut anywhere


@pytest.mark.parametrize("method", ["truncate", "random_crop"])
def test_long_lines_are_shortened_and_counted(
    tmp_path: Path, words: Dictionary, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [*lines(5), " ".join(lines(5))]
    made = blocks(config(tmp_path, "eos", shorten_method=method), words, rows)
    assert "1 of 6 lines are longer than 23 tokens; they are shortened" in caplog.text
    assert made.sizes[-1] == len(made[5]) == 24
    whole = words.encode_line(rows[-1], add_if_not_exist=False).tolist()
    crop = made[5][1:].tolist()
    starts = range(1) if method == "truncate" else range(len(whole))
    assert any(whole[start : start + 23] == crop for start in starts)


def test_nothing_is_shortened_where_lines_may_be_cut_anywhere(tmp_path: Path, words: Dictionary) -> None:
    rows = [" ".join(ROWS[:9]), *ROWS]
    shortened, whole = (
        as_lists(blocks(config(tmp_path, "none", 8, shorten_method=method), words, rows))
        for method in ("truncate", "none")
    )
    assert shortened == whole
    assert len(shortened) > len(rows)


def test_splits_that_are_not_to_be_shortened_are_not_said_to_be(tmp_path: Path, words: Dictionary) -> None:
    cfg = config(tmp_path, "eos", shorten_method="truncate", shorten_data_split_list="valid,test")
    rows = [*lines(5), " ".join(lines(5))]
    assert max(blocks(cfg, words, rows, "valid").sizes) == 24
    with pytest.raises(ValueError, match="longer than 23 tokens"):
        blocks(cfg, words, rows, "train")


@pytest.mark.parametrize("mode", ["none", "eos"])
def test_older_binaries_are_read_beforehand(tmp_path: Path, words: Dictionary, mode: str) -> None:
    """`fairseq-preprocess --dataset-impl cached`: fairseq's iterator asks for `prefetch`, also through our wrapper."""
    cfg, source = config(tmp_path, mode), tmp_path / "old"
    read = load_lines(write_binaries(source, ROWS, words, impl="cached"), words, source)
    data = MaskedTextDataset(text_blocks(read, "old", cfg, words, source), masker=None, pad=1, seeds=SampleSeeds(1))
    assert data.supports_prefetch
    data.prefetch(range(len(data)))
    assert as_lists(data.blocks) == as_lists(blocks(cfg, words))


def test_what_is_neither_binaries_nor_text_is_told(tmp_path: Path, words: Dictionary) -> None:
    with pytest.raises(ValueError, match=r"valid is neither binarised \(\.bin and \.idx.*\) nor raw text \(\.txt\)"):
        load_lines(tmp_path / "valid", words, tmp_path / "valid")


def test_digest_tells_texts_and_dictionaries_apart(words: Dictionary) -> None:
    first = blocks_digest([3, 4, 5], words)
    assert first == blocks_digest([3, 4, 5], words)
    assert first != blocks_digest([3, 4, 6], words)
    words.add_symbol("another")
    assert first != blocks_digest([3, 4, 5], words)
