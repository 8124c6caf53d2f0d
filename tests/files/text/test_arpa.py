"""What an ARPA file's header promises, and what the file holds."""

from pathlib import Path

import pytest

from data2vec_plugin.files.text.arpa import KENLM_BINARY, check_arpa, first_words, is_kenlm_binary
from data2vec_plugin.files.unusable import UnusableFileError

WHOLE = """a word of whoever wrote it
\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.5\t</s>
-0.6\tone\t-0.2

\\2-grams:
-0.1\t<s> one
-0.2\tone </s>

\\end\\
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_n_grams_are_counted(tmp_path: Path, ends: str) -> None:
    path = tmp_path / "whole.arpa"
    path.write_bytes(WHOLE.replace("\n", ends).encode())
    assert check_arpa(path) == {1: 4, 2: 2}
    assert first_words(path) == ["one"]
    assert not is_kenlm_binary(path)


@pytest.mark.parametrize("size", range(30, len(WHOLE) - 6))
def test_wherever_it_is_cut_it_is_told(tmp_path: Path, size: int) -> None:
    path = tmp_path / "cut.arpa"
    path.write_text(WHOLE[:size])
    with pytest.raises(UnusableFileError):
        check_arpa(path)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (WHOLE.replace("-0.2\tone </s>\n", ""), "lists 1 2-grams, but its header counts 2.*truncated"),
        (WHOLE.replace("ngram 1=4", "ngram 1=3"), "lists 4 1-grams, but its header counts 3"),
        (WHOLE.partition("\\2-grams")[0], "has no 2-grams"),
        (WHOLE.replace("\\end\\\n", ""), "does not end with"),
        (WHOLE.replace("ngram 1=4\n", ""), "orders .2.; expected 1 to N"),
        ("one two\n", "begins with 'one two'; expected an n-gram language model"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "bad.arpa"
    path.write_text(text)
    with pytest.raises(UnusableFileError, match=fault):
        check_arpa(path)


def test_other_kinds_of_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "lm"
    path.write_bytes(b"\x1f\x8b\x08 packed")
    with pytest.raises(UnusableFileError, match="unpack it with `gunzip`"):
        check_arpa(path)
    path.write_bytes(KENLM_BINARY + b" format version 5\n")
    assert is_kenlm_binary(path)
