"""Tables: with tabs a line is a row and a quote a character; with commas quotes hold what holds commas."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data2vec_plugin.files.text.delimited import Row, read_table, tab_separated
from data2vec_plugin.files.unusable import UnusableFileError

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tables"


def table(folder: Path, text: str, mark: bytes = b"") -> Path:
    path = folder / "table.csv"
    path.write_bytes(mark + text.encode())
    return path


def test_quotes_of_a_tab_separated_table_are_text() -> None:
    rows = read_table(FIXTURES / "common_voice_quotes.tsv", ["path"])
    assert [row.fields["path"] for row in rows] == [f"clip_{n}.flac" for n in (1, 2, 3, 4)]
    assert [row.line for row in rows] == [2, 3, 4, 5]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("cell", [",", "\t"])
def test_dialects(tmp_path: Path, mark: bytes, end: str, cell: str) -> None:
    lines = [f"path{cell} text", f"a.wav{cell} go on ", "", f"b.wav{cell}no\u2028yes{cell}", ""]
    rows = read_table(table(tmp_path, end.join(lines), mark), ["path", "text"])
    assert rows == [
        Row(2, {"path": "a.wav", "text": "go on"}),
        Row(4, {"path": "b.wav", "text": "no\u2028yes"}),
    ]


def test_quotes_of_a_csv_hold_commas_and_line_breaks(tmp_path: Path) -> None:
    rows = read_table(table(tmp_path, 'path,text\na.wav,"go, ""on""\nand on"\nb.wav,no\n'), ["path", "text"])
    assert [(row.line, row.fields["text"]) for row in rows] == [(2, 'go, "on"\nand on'), (4, "no")]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", r"table\.csv, line 1: no column `path`; got nothing"),
        ("file,text\na,b\n", "line 1: no column `path`; got file, text"),
        ("path,text,text\na,b,c\n", "line 1: two columns are called `text`"),
        ("path,text\n", "has a header, but no lines"),
        ("path,text\na.wav\n", "line 2: the `text` is empty"),
        ("path,text\na.wav,\n", "line 2: the `text` is empty"),
        (
            "path,text\na.wav,go, on\n",
            r"line 2: 3 cells, but the header has 2 \(path, text\); quote values that contain commas",
        ),
        ("path\ttext\na.wav\tgo\ton\n", "line 2: 3 cells, but the header has 2"),
        ('path,text\na.wav,b\nb.wav,"go on\nc.wav,no\n', r"line 3: is not valid CSV \(.*\): a quote is not closed"),
        ('path,text\na.wav,"go" on\n', r"line 2: is not valid CSV \("),
        ('path,text\na.wav,"go on\nb.wav,"no"\n', r"line 2: is not valid CSV \("),
    ],
)
def test_faults_are_told_with_their_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UnusableFileError, match=fault):
        read_table(table(tmp_path, text), ["path", "text"])


@pytest.mark.parametrize(("content", "kind"), [("café".encode("latin1"), "latin1"), ("a".encode("utf-16"), "utf-16")])
def test_another_encoding_is_told(tmp_path: Path, content: bytes, kind: str) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(UnusableFileError, match=rf"table\.csv, line 1: byte .* is not UTF-8; .*`iconv -f {kind} "):
        read_table(tmp_path / "table.csv", ["path"])
    with pytest.raises(UnusableFileError, match=r"none\.csv: no such file"):
        read_table(tmp_path / "none.csv", ["path"])


def test_lines_of_a_tab_separated_file(tmp_path: Path) -> None:
    path = table(tmp_path, 'a\t"b\r\n\nc\n\n')
    assert list(tab_separated(path)) == [(1, ["a", '"b']), (2, [""]), (3, ["c"])]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([b"", b"path,text\n", b"path\ttext\r\n", b"\xef\xbb\xbfpath,text\n"]),
    st.one_of(st.binary(max_size=60), st.text('a,"\t\n\r\0\u2028', max_size=40).map(lambda text: text.encode())),
)
def test_any_bytes_are_a_table_or_an_error_that_names_it(tmp_path: Path, header: bytes, content: bytes) -> None:
    path = tmp_path / "any.csv"
    path.write_bytes(header + content)
    rows, fault = [], ""
    try:
        rows = read_table(path, ["path", "text"])
    except UnusableFileError as error:
        fault = str(error)
    assert bool(rows) != ("any.csv" in fault)
    assert all(row.fields["path"] and row.fields["text"] for row in rows)


TEXT = st.text("ab\"' ,\u2028é", max_size=8).map(lambda text: f"x{text}x")


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=5))
def test_every_row_of_a_tab_separated_table_comes_back(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = table(tmp_path, "path\ttext\n" + "".join(f"{a}\t{b}\n" for a, b in rows))
    assert [(row.fields["path"], row.fields["text"]) for row in read_table(path, ["path", "text"])] == rows
