"""Labels and transcripts: what does not hold together with manifest and dictionary is told with file and line."""

from pathlib import Path

import pytest

from data2vec_plugin.files.text.transcripts import check_symbols, read_labels, read_utterances


def test_labels_of_another_length_name_both_files(tmp_path: Path) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_text("A |\nB |\n")
    with pytest.raises(ValueError, match=r"train\.ltr: has 2 lines, but .*train\.tsv lists 3 files"):
        read_labels(labels, tmp_path / "train.tsv", 3)


def test_empty_label_names_its_line(tmp_path: Path) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_text("A |\n\nB |\n")
    with pytest.raises(ValueError, match=r"train\.ltr, line 2: empty label"):
        read_labels(labels, tmp_path / "train.tsv", 3)


def test_symbol_outside_the_dictionary_names_line_and_symbol(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.ltr, line 2: symbol 'É' is not in dict\.ltr\.txt"):
        check_symbols(["A |", "É |"], {"A", "|"}, tmp_path / "train.ltr", "dict.ltr.txt")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_end_where_fairseq_ends_them(tmp_path: Path, end: str) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_bytes(f"A \u2028 B |{end}C \x0c |{end}".encode())
    assert read_labels(labels, tmp_path / "train.tsv", 2) == ["A \u2028 B |", "C \x0c |"]


def test_a_byte_order_mark_is_no_part_of_a_label(tmp_path: Path) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_bytes(b"\xef\xbb\xbfA |\r\nB |\r\n")
    assert read_labels(labels, tmp_path / "train.tsv", 2) == ["A |", "B |"]


def test_utterances_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "1.trans.txt").write_bytes(b"\xef\xbb\xbf1-0 GO ON\r\n\r\n1-1\tNO\n1-2\n")
    (tmp_path / "2.trans.txt").write_text("2-0  YES\n")
    assert read_utterances(tmp_path) == {"1-0": "GO ON", "1-1": "NO", "1-2": "", "2-0": "YES"}
    (tmp_path / "2.trans.txt").write_text("\n1-0 YES\n")
    with pytest.raises(ValueError, match=r"2\.trans\.txt, line 2: 1-0 already has a transcript"):
        read_utterances(tmp_path)
