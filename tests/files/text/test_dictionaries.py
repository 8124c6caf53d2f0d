"""Dictionaries: ids as fairseq gives them, dialects that mean one thing, and faults with their line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data2vec_plugin.data.text.dictionary_file import load_dictionary
from data2vec_plugin.files.text.dictionaries import normal_text, read_entries
from data2vec_plugin.files.unusable import UnusableFileError

Dictionary = pytest.importorskip("fairseq.data").Dictionary


def written(folder: Path, text: str, mark: bytes = b"") -> Path:
    path = folder / "dict.txt"
    path.write_bytes(mark + text.encode())
    return path


def symbols(path: Path) -> list[tuple[str, int]]:
    return [(entry.symbol, entry.frequency) for entry in read_entries(path)]


@pytest.mark.parametrize(
    "text",
    [
        "| 9\nA 5\nB 0\n",
        "the dog 3\n13 850\n\u2581the 2\n",
        "A 5\nB 3\nA 4 #fairseq:overwrite\n",
        "<unk> 4 #fairseq:overwrite\nA -1\n",
        "\u2028 4\n\x0c 2\nA 1",
        "  7\nA 1\n",
    ],
)
def test_a_well_formed_file_gives_fairseqs_ids(tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    ours, theirs = load_dictionary(path), Dictionary.load(str(path))
    assert (ours.symbols, ours.count, ours.indices) == (theirs.symbols, theirs.count, theirs.indices)
    assert isinstance(ours, Dictionary)
    assert normal_text(path).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", "\n \n"])
@pytest.mark.parametrize("between", [" ", "\t", "  ", " \t"])
def test_dialects_that_mean_one_thing(tmp_path: Path, mark: bytes, end: str, between: str) -> None:
    path = written(tmp_path, end.join([f"|{between}9", f"A{between}5 ", "B 3", ""]), mark)
    assert symbols(path) == [("|", 9), ("A", 5), ("B", 3)]
    written(tmp_path, normal_text(path))
    assert Dictionary.load(str(path)).indices == load_dictionary(path).indices


def test_no_counts_at_all_leave_the_ids_certain(tmp_path: Path) -> None:
    assert symbols(written(tmp_path, "|\r\nA\r\n7\r\n")) == [("|", 1), ("A", 1), ("7", 1)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", r"dict\.txt: is empty"),
        ("\n\n", r"dict\.txt: is empty"),
        ("A 1\n\nB\n", r"dict\.txt, line 3: got 'B'; expected a symbol and a count"),
        ("A 1\n5\n", "line 2: got '5'"),
        ("5\n7\n", "line 1: got '5'"),
        ("A\nB C\n", "line 1: got 'A'"),
        (" 4\nA 1\n", "line 1: got ' 4'"),
        ("A ²\n", "line 1: got 'A ²'"),
        ("A 1.5\n", "line 1"),
        ("A 1 #fairseq:other\n", "line 1"),
        (f"A {'9' * 5000}\n", "line 1"),
        ("A 1\nB 2\nA 3\n", "line 3: duplicate symbol 'A', which line 1 has already"),
        ("A 1\n<s> 3\n", "line 2: duplicate symbol '<s>', which fairseq has already"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UnusableFileError, match=fault):
        load_dictionary(written(tmp_path, text))


def test_bytes_that_are_not_utf8_are_told(tmp_path: Path) -> None:
    (tmp_path / "dict.txt").write_bytes(b"A 1\n\xe9 2\n")
    with pytest.raises(UnusableFileError, match=r"dict\.txt, line 2: byte 1 \(0xe9\) is not UTF-8"):
        load_dictionary(tmp_path / "dict.txt")


ENTRY = st.one_of(st.binary(max_size=12), st.text("A| \t\r19-²\ufeff#", max_size=12).map(lambda text: text.encode()))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ENTRY, max_size=5))
def test_any_bytes_are_a_dictionary_or_an_error_that_names_it(tmp_path: Path, lines: list[bytes]) -> None:
    """And what stock fairseq reads of it, it reads alike, but for blanks around a symbol."""
    path = tmp_path / "any.txt"
    path.write_bytes(b"\n".join(lines))
    ours, theirs, fault = None, None, ""
    try:
        ours = load_dictionary(path)
    except UnusableFileError as error:
        fault = str(error)
    assert (ours is None) == ("any.txt" in fault)
    with suppress(Exception):  # fairseq raises a bare one
        theirs = Dictionary.load(str(path))
    if ours is not None and theirs is not None and b"\r" not in path.read_bytes():
        assert [words(symbol) for symbol in ours.symbols] == [words(symbol) for symbol in theirs.symbols]


def words(symbol: str) -> str:
    return symbol[symbol.startswith("\ufeff") :].strip()
