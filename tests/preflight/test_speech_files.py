"""Headers, lengths and shared files of splits, on real files."""

from pathlib import Path
from typing import Any

import pytest
from speech import write_clip, write_manifest

from data2vec_plugin.data.audio.clips import AudioFileError, CheckedAudioDataset
from data2vec_plugin.preflight.finding import ERROR, WARNING, Findings
from data2vec_plugin.preflight.speech_files import HEADERS, check_headers, check_lengths, check_overlap, paths_of


def split_of(folder: Path, sizes: "dict[str, int]", **options: Any) -> CheckedAudioDataset:
    manifest = write_manifest(folder / "split.tsv", folder, sizes)
    return CheckedAudioDataset(str(manifest), 16_000, pad=True, **options)


def headers(audio: CheckedAudioDataset, processes: int = 1) -> Findings:
    findings = Findings()
    check_headers("split", audio, findings, processes)
    return findings


def test_another_sample_rate_is_an_error_in_the_words_of_reading_the_file(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 8_000, rate=8_000)
    write_clip(tmp_path / "b.wav", 8_000)
    audio = split_of(tmp_path, {"a.wav": 8_000, "b.wav": 8_000})
    (error,) = headers(audio).of(ERROR)
    with pytest.raises(AudioFileError) as raised:
        audio[0]
    assert str(raised.value).startswith(error)
    assert "sample rate 8000, expected 16000: write copies at the right rate with `data2vec manifest FOLDER" in error


def test_what_a_run_would_leave_out_is_a_warning(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 4_000)
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    sizes = {"a.wav": 8_000, "b.wav": 8_000}
    findings = headers(split_of(tmp_path, sizes, bad_limit=2))
    (warning,) = findings.of(WARNING)
    assert "4000 samples on disk but 8000 in the manifest" in warning
    assert "(2 of 2 files that were looked at have such faults)" in warning
    assert not findings.of(ERROR)
    assert headers(split_of(tmp_path, sizes, bad_limit=1)).of(ERROR) == [warning]
    assert not headers(split_of(tmp_path, sizes, bad_limit=1), processes=2).of(ERROR)  # the limit of each


def test_a_few_headers_of_many_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.wav", 400)
    read = []

    def look(entry: str) -> Any:
        from data2vec_plugin.files.media.audio import read_info

        read.append(entry)
        return read_info(entry)

    monkeypatch.setattr("data2vec_plugin.preflight.speech_files.read_info", look)
    (tmp_path / "split.tsv").write_text(f"{tmp_path}\n" + "a.wav\t400\n" * 10_000)
    findings = headers(CheckedAudioDataset(str(tmp_path / "split.tsv"), 16_000))
    assert len(read) == HEADERS
    assert findings.notes == ["split: the headers of 24 of 10,000 files were read"]
    assert not findings.found


def test_a_clip_that_no_batch_can_hold_is_named(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.wav", 8_000)
    findings = Findings()
    for limit in (None, 8_000, 7_999):
        check_lengths(split_of(tmp_path, {"a.wav": 8_000}), limit, findings)
    (error,) = findings.of(ERROR)
    assert "a.wav: 8,000 samples (0.5 s), but `dataset.max_tokens` (`--max-tokens`) is 7,999: raise it" in error


def test_a_file_of_two_splits_is_found_however_its_path_is_written(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_clip(tmp_path / name, 400)
    train = split_of(tmp_path, {"a.wav": 400, f"{tmp_path}/../{tmp_path.name}/b.wav": 400})
    findings = Findings()
    check_overlap("train", paths_of(train), {"test": split_of(tmp_path, {"b.wav": 400})}, findings)
    (warning,) = findings.of(WARNING)
    assert warning.startswith("1 of the 1 files of `test` are in `train` too (")
    assert "list each file in one split only" in warning
    other = Findings()
    check_overlap("train", ["elsewhere/b.wav"], {"test": split_of(tmp_path, {"b.wav": 400})}, other)
    assert not other.found
