"""Lines: what ends one, what is no part of one, and what is no text; files that are none; JSON; writing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data2vec_plugin.files.opening import opened
from data2vec_plugin.files.text.json_files import read_json
from data2vec_plugin.files.text.text_lines import numbered_lines, read_lines, read_text
from data2vec_plugin.files.unusable import UnusableFileError
from data2vec_plugin.files.writing import replacing, write_atomically


def test_a_line_feed_ends_a_line_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffa\u2028b\x0cc\r\n \rd \x85\n\ne".encode())
    assert list(numbered_lines(path)) == [(1, "a\u2028b\x0cc"), (2, " \rd \x85"), (3, ""), (4, "e")]
    assert read_text(path) == "a\u2028b\x0cc\n \rd \x85\n\ne"
    seen: list[int] = []
    assert len(list(numbered_lines(path, seen.append))) == 4
    assert sum(seen) == path.stat().st_size


def test_the_whole_text_keeps_its_last_line_feed(tmp_path: Path) -> None:
    for text in ("", "a", "a\n", "a\n\n"):
        write_atomically(tmp_path / "text.txt", text)
        assert read_text(tmp_path / "text.txt") == text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a\nb\xe9\n", r"line 2: byte 2 \(0xe9\) is not UTF-8; convert the file \(`iconv -f latin1"),
        ("a\n".encode("utf-16"), r"line 1: byte 1 \(0xff\) is not UTF-8; convert the file \(`iconv -f utf-16"),
    ],
)
def test_bytes_that_are_not_utf8_are_told_with_their_cause(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(UnusableFileError, match=rf"text\.txt, {fault}") as caught:
        read_lines(tmp_path / "text.txt")
    assert isinstance(caught.value.__cause__, UnicodeDecodeError)


def test_what_is_no_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, fault in (("pipe", "is a pipe"), (".", "is a folder"), ("none", "no such file"), ("pipe/x", "cannot be")):
        with pytest.raises(UnusableFileError, match=fault):
            opened(tmp_path / name)
    with pytest.raises(UnusableFileError, match="is a device"):
        opened(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{\n'a': 1}", r"a\.json, line 2: is not JSON \(.*, column 1\)"),
        ("[1]", r"a\.json: holds a list; expected an object"),
        ('{"a": ' * 100_000, r"a\.json: is not JSON: nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", r"a\.json: is not JSON: nested too deeply, or with a number that is too long"),
        ("", r"a\.json, line 1: is not JSON"),
    ],
)
def test_what_is_no_json_is_told(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UnusableFileError, match=fault):
        read_json(tmp_path / "a.json")


def test_json_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa9"}')
    assert read_json(tmp_path / "a.json") == {"a": "é"}


def half_written(part: Path) -> None:
    part.write_text("half")
    (part.parent / "none" / "other").read_text()


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    write_atomically(tmp_path / "new" / "a.txt", "old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "new" / "a.txt") as part:
        half_written(part)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]
    assert (tmp_path / "new" / "a.txt").read_text() == "old"
