"""Manifests and labels that do not hold together are told with file and line."""

from pathlib import Path

import pytest
from speech import write_clip, write_manifest

from data2vec_plugin.data.manifest import check_manifest, check_symbols, container, read_labels


def test_missing_file_names_manifest_line_and_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 16_000)
    manifest = write_manifest(tmp_path / "train.tsv", tmp_path, {"a.wav": 16_000, "b.wav": 16_000})
    with pytest.raises(ValueError, match=r"train\.tsv:3: .*b\.wav does not exist"):
        check_manifest(manifest)


@pytest.mark.parametrize("line", ["a.wav", "a.wav\tmany", "a.wav\t16000\textra"])
def test_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    manifest = tmp_path / "train.tsv"
    manifest.write_text(f"{tmp_path}\n{line}\n")
    with pytest.raises(ValueError, match=r"train\.tsv:2: got .*expected `relative/path"):
        check_manifest(manifest)


def test_empty_and_absent_manifests_say_how_to_make_one(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "train.tsv", tmp_path, {})
    with pytest.raises(ValueError, match="lists no file"):
        check_manifest(manifest)
    with pytest.raises(ValueError, match="does not exist; make it with `data2vec manifest"):
        check_manifest(tmp_path / "valid.tsv")


def test_zip_entries_are_looked_for_in_their_archive() -> None:
    assert container("/data/speech.zip:100:2000") == "/data/speech.zip"
    assert container("/data/speech.wav") == "/data/speech.wav"


def test_labels_of_another_length_name_both_files(tmp_path: Path) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_text("A |\nB |\n")
    with pytest.raises(ValueError, match=r"train\.ltr has 2 lines, but .*train\.tsv lists 3 files"):
        read_labels(labels, tmp_path / "train.tsv", 3)


def test_empty_label_names_its_line(tmp_path: Path) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_text("A |\n\nB |\n")
    with pytest.raises(ValueError, match=r"train\.ltr:2: empty label"):
        read_labels(labels, tmp_path / "train.tsv", 3)


def test_symbol_outside_the_dictionary_names_line_and_symbol(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"train\.ltr:2: symbol 'É' is not in dict\.ltr\.txt"):
        check_symbols(["A |", "É |"], {"A", "|"}, tmp_path / "train.ltr", "dict.ltr.txt")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_labels_end_where_fairseq_ends_them(tmp_path: Path, end: str) -> None:
    labels = tmp_path / "train.ltr"
    labels.write_bytes(f"A \u2028 B |{end}C \x0c |{end}".encode())
    assert read_labels(labels, tmp_path / "train.tsv", 2) == ["A \u2028 B |", "C \x0c |"]
