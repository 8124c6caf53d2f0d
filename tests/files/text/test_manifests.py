"""Manifests: the dialects that are read, and what is wrong with others, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from speech import write_clip, write_manifest

from data2vec_plugin.files.text.manifests import (
    Clip,
    Manifest,
    check_manifest,
    manifest_digest,
    manifest_entries,
    manifest_root,
    read_manifest,
)
from data2vec_plugin.files.unusable import UnusableFileError


def test_missing_file_names_manifest_line_and_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 16_000)
    manifest = write_manifest(tmp_path / "train.tsv", tmp_path, {"a.wav": 16_000, "b.wav": 16_000})
    with pytest.raises(ValueError, match=r"train\.tsv, line 3: .*b\.wav does not exist"):
        check_manifest(manifest)


@pytest.mark.parametrize("line", ["a.wav", "a.wav\tmany", "a.wav\t16000\textra"])
def test_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    manifest = tmp_path / "train.tsv"
    manifest.write_text(f"{tmp_path}\n{line}\n")
    with pytest.raises(ValueError, match=r"train\.tsv, line 2: got .*expected `relative/path"):
        check_manifest(manifest)


def test_empty_and_absent_manifests_say_how_to_make_one(tmp_path: Path) -> None:
    manifest = write_manifest(tmp_path / "train.tsv", tmp_path, {})
    with pytest.raises(ValueError, match="lists no audio"):
        check_manifest(manifest)
    with pytest.raises(ValueError, match="no such manifest; create it with `data2vec manifest"):
        check_manifest(tmp_path / "valid.tsv")


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_marks_windows_line_ends_and_empty_ends(tmp_path: Path, mark: bytes, end: str) -> None:
    path = tmp_path / "train.tsv"
    path.write_bytes(
        mark + end.join(["/data/speech ", "a/1.wav\t16000", "b:2:3.wav\t 8 ", "/c.flac\t1", "", ""]).encode()
    )
    clips = (Clip("a/1.wav", 16000), Clip("b:2:3.wav", 8), Clip("/c.flac", 1))
    assert read_manifest(path) == Manifest(Path("/data/speech"), clips)
    assert [entry.line for entry in manifest_entries(path)] == [2, 3, 4]


@pytest.mark.parametrize("count", ["-5", "²", "1_0", "+1", "1.0", "9" * 19, "", "٣"])
def test_a_count_is_a_number(tmp_path: Path, count: str) -> None:
    path = tmp_path / "train.tsv"
    path.write_text(f"/data\na.wav\t1\nb.wav\t{count}\n", encoding="utf-8")
    with pytest.raises(UnusableFileError, match=r"train\.tsv, line 3: got 'b\.wav"):
        list(manifest_entries(path))


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("a.wav\t1\nb.wav\t1\n", 1, "expected the folder to which the paths below are relative"),
        ("/data\na.wav\t1\n\nb.wav\t1\n", 3, "got ''; expected"),
        ("/data\n\t1\n", 2, "expected `relative/path"),
    ],
)
def test_what_would_be_lost_or_moved_is_told(tmp_path: Path, text: str, line: int, fault: str) -> None:
    (tmp_path / "train.tsv").write_text(text)
    with pytest.raises(UnusableFileError, match=fault) as caught:
        read_manifest(tmp_path / "train.tsv")
    assert caught.value.line == line


def test_digest_is_of_the_clips_alone(tmp_path: Path) -> None:
    first, second = (write_manifest(tmp_path / n, Path(f"/{n}"), {"a.wav": 5}) for n in ("a.tsv", "b.tsv"))
    assert manifest_digest(first) == manifest_digest(second)
    assert manifest_root(first) == Path("/a.tsv")
    assert manifest_digest(write_manifest(second, tmp_path, {"a.wav": 6})) != manifest_digest(first)


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="no such manifest"):
        manifest_root(tmp_path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=80), st.text("/a\t\n\r1²-: \ufeff", max_size=60).map(lambda text: text.encode())))
def test_any_bytes_are_a_manifest_or_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.tsv"
    path.write_bytes(content)
    clips, fault = (), ""
    try:
        clips = read_manifest(path).clips
    except UnusableFileError as error:
        fault = str(error)
    assert bool(clips) != ("any.tsv" in fault)
    assert all(clip.path and clip.frames >= 0 for clip in clips)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.text("ab:. \u2028/é", min_size=1, max_size=9), st.integers(0, 10**12)), min_size=1))
def test_what_is_written_is_read(tmp_path: Path, clips: list[tuple[str, int]]) -> None:
    manifest = Manifest(Path("/data"), tuple(Clip(*clip) for clip in clips))
    (tmp_path / "train.tsv").write_bytes(manifest.text().encode())
    assert read_manifest(tmp_path / "train.tsv") == manifest
