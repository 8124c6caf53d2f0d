"""Reading the official files: their dialects, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest
from glue_files import DEV, MSR_HEADER, TRAIN, pair, sentence, write_glue, write_lines, write_mrpc

from data2vec_plugin.files.text.delimited import tab_separated
from data2vec_plugin.glue.files import Example, LeftOut, Source, find_sources, read_examples
from data2vec_plugin.glue.tasks import TASKS

HEADERS = {
    "rte": ("index", "sentence1", "sentence2", "label"),
    "qqp": ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
    "sts_b": ("index", "sentence1", "sentence2", "score"),
}


def read(root: Path, name: str, split: str) -> tuple[list[Example], list[LeftOut]]:
    left_out: list[LeftOut] = []
    source = next(source for source in find_sources(root, TASKS[name]) if source.split == split)
    return list(read_examples(source, left_out)), left_out


def read_rows(path: Path, name: str, *rows: tuple[str, ...], header: tuple[str, ...] = ()) -> list[Example]:
    """What a train file of these lines gives."""
    write_lines(path / "train.tsv", [header or HEADERS[name], *rows])
    return list(read_examples(Source(TASKS[name], "train", path / "train.tsv"), []))


@pytest.mark.parametrize("name", TASKS)
def test_all_splits_of_all_tasks(glue: Path, name: str) -> None:
    task = TASKS[name]
    for source in find_sources(glue, task):
        examples = list(read_examples(source, []))
        expected = TRAIN if source.split == "train" else DEV if source.labelled else len(examples)
        assert len(examples) == expected > 0
        assert {len(example.sentences) for example in examples} == {len(task.sentences)}
        if source.labelled and not task.regression:
            assert {example.label for example in examples} == set(task.labels)
    assert [s.split for s in find_sources(glue, task)] == [split for split, _ in task.files]


def test_no_test_set_is_no_fault(tmp_path: Path) -> None:
    glue = write_glue(tmp_path, with_test=False)
    assert [source.split for source in find_sources(glue, TASKS["mnli"])] == ["train", "valid", "valid1"]
    assert [source.split for source in find_sources(glue, TASKS["cola"])] == ["train", "valid"]


def test_cola_has_no_header_but_its_test_set_does(glue: Path) -> None:
    assert read(glue, "cola", "train")[0][:2] == [
        Example(1, (sentence(0)[::-1],), "0"),
        Example(2, (sentence(1),), "1"),
    ]
    assert read(glue, "cola", "test")[0][0] == Example(2, (sentence(100),), None)


def test_quotes_are_characters(glue: Path) -> None:
    examples, _ = read(glue, "qqp", "train")
    first, second = pair(0, True)
    assert examples[0] == Example(2, (f'"{first}', second), "1")


def test_faulty_lines_of_qqp_are_left_out_and_named(glue: Path) -> None:
    examples, left_out = read(glue, "qqp", "train")
    assert left_out == [LeftOut(7, "4 columns instead of 6"), LeftOut(8, "empty sentence")]
    assert [example.line for example in examples] == [*range(2, 7), *range(9, TRAIN + 4)]


def test_a_test_set_keeps_every_line(glue: Path) -> None:
    examples, left_out = read(glue, "qqp", "test")
    assert examples[-1].sentences == ("", "why ?")
    assert not left_out


def test_sentences_lose_the_blanks_around_them(glue: Path) -> None:
    assert read(glue, "sst_2", "train")[0][1].sentences == (f"{sentence(1)} how wonderful",)


def test_mark_and_carriage_returns_are_not_part_of_the_text(glue: Path) -> None:
    examples, _ = read(glue, "mrpc", "valid")
    assert examples[0] == Example(2, pair(TRAIN, True), "1")


def test_regression_targets_are_shares_of_the_highest(tmp_path: Path) -> None:
    examples = read_rows(tmp_path, "sts_b", ("0", "a", "b", "5.000"), ("1", "a", "b", "3.8"), ("2", "a", "b", "0"))
    assert [example.label for example in examples] == ["1", "0.76", "0"]


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    odd = "one\u2028two\u0085three\x0cfour\rfive"
    assert read_rows(tmp_path, "rte", ("0", odd, "b", "entailment"))[0].sentences == (odd, "b")


def test_empty_lines_at_the_end_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"a\n\nb\r\n\n\r\n")
    assert list(tab_separated(tmp_path / "file")) == [(1, ["a"]), (2, [""]), (3, ["b"])]


def test_mrpc_as_it_was_published(glue: Path, tmp_path: Path) -> None:
    write_mrpc(tmp_path / "MRPC", TRAIN, DEV, raw=True)
    for split in ("train", "valid", "test"):
        raw, ready = (read(root, "mrpc", split)[0] for root in (tmp_path, glue))
        assert [example[1:] for example in raw] == [example[1:] for example in ready]
    (tmp_path / "MRPC" / "dev_ids.tsv").unlink()
    with pytest.raises(ValueError, match=r"msr_paraphrase_train\.txt: the dev set is a part.*dev_ids\.tsv"):
        find_sources(tmp_path, TASKS["mrpc"])
    (tmp_path / "MRPC" / "mrpc_dev_ids.tsv").write_text("1\t2\n3\n")
    with pytest.raises(ValueError, match=r"mrpc_dev_ids\.tsv, line 2: got '3'; expected the ids of two"):
        find_sources(tmp_path, TASKS["mrpc"])


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("rte", ("0", "a", "entailment"), r"train\.tsv, line 2: got 3 columns .*; expected 4: index, sentence1"),
        ("rte", ("0", "a", "b", "yes"), r"train\.tsv, line 2: the label is 'yes'; expected one of entailment, not_"),
        ("rte", ("0", "a", "b\tc", "entailment"), r"line 2: the label is 'c'.*a tab is in a sentence"),
        ("sts_b", ("0", "a", "b", "high"), r"train\.tsv, line 2: the score is 'high'; expected a number from 0 to 5"),
        ("sts_b", ("0", "a", "b", "5.5"), "the score is '5.5'"),
        ("sts_b", ("0", "a", "b", "nan"), "the score is 'nan'"),
        ("sts_b", ("0", "a", "b", ""), "the score is ''"),
    ],
)
def test_a_faulty_line_is_named(tmp_path: Path, name: str, row: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_rows(tmp_path, name, row)


def test_a_byte_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "train.tsv", [HEADERS["rte"], ("0", "caf\u00e9", "b", "entailment")])
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\xe9"))
    with pytest.raises(ValueError, match=r"train\.tsv, line 2: byte 6 \(0xe9\) is not UTF-8; convert"):
        list(read_examples(Source(TASKS["rte"], "train", path), []))


def test_many_faulty_lines_are_another_file(tmp_path: Path) -> None:
    rows = [(str(n), "1", "2", "a", "b", "0") for n in range(100)]
    with pytest.raises(
        ValueError, match=r"train\.tsv: 11 of 111 lines are not valid examples: line 102 \(empty sentence\)"
    ):
        read_rows(tmp_path, "qqp", *rows, *[("1", "1", "2", "a", " ", "0")] * 11)
    with pytest.raises(ValueError, match=r"train\.tsv: 1 of 1 lines are not valid examples"):
        read_rows(tmp_path, "qqp", ("1", "1", "2"))
    with pytest.raises(ValueError, match=r"train\.tsv: no example for train"):
        read_rows(tmp_path, "qqp")


def test_missing_files_and_wrong_headers_are_told_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"RTE: no such folder; .* has nothing"):
        find_sources(tmp_path, TASKS["rte"])
    write_lines(tmp_path / "RTE" / "train.tsv", [HEADERS["rte"]])
    with pytest.raises(ValueError, match=r"dev\.tsv: no such file; .*RTE has train\.tsv"):
        find_sources(tmp_path, TASKS["rte"])
    write_lines(tmp_path / "RTE" / "dev.tsv", [("index", "premise", "hypothesis", "label")])
    with pytest.raises(ValueError, match=r"dev\.tsv, line 1: no column `sentence1`; got index, premise"):
        find_sources(tmp_path, TASKS["rte"])
    (tmp_path / "RTE" / "dev.tsv").write_bytes(b"")
    with pytest.raises(ValueError, match=r"dev\.tsv, line 1: no column `sentence1`; got an empty line"):
        find_sources(tmp_path, TASKS["rte"])
    write_lines(tmp_path / "MRPC" / "msr_paraphrase_train.txt", [MSR_HEADER[:3]])
    write_lines(tmp_path / "MRPC" / "dev_ids.tsv", [("1", "2")])
    with pytest.raises(ValueError, match=r"train\.txt, line 1: no column `#1 String`"):
        find_sources(tmp_path, TASKS["mrpc"])
