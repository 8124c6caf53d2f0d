"""Audio is opened in one place: lengths are checked before they are believed, and nothing is waited for."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from speech import write_clip

from data2vec_plugin.data.audio.clips import AudioFileError, CheckedAudioDataset
from data2vec_plugin.features.items import BadItemError, Item
from data2vec_plugin.features.speech import SpeechReader
from data2vec_plugin.files.media import audio
from data2vec_plugin.files.media.audio import read_info, read_samples, split_entry
from data2vec_plugin.files.media.audio_headers import Source, read_header
from data2vec_plugin.files.unusable import UnusableFileError


def liar(path: Path, claim: bytes = b"\xff" * 4) -> Path:
    """A FLAC of two seconds that claims 2^36 samples, or another number."""
    data = bytearray(write_clip(path, 32_000).read_bytes())
    data[21] = data[21] & 0xF0 | (15 if claim == b"\xff" * 4 else 0)
    data[22:26] = claim
    path.write_bytes(data)
    return path


def test_samples_are_those_of_soundfile(tmp_path: Path) -> None:
    for name, channels in (("a.wav", 1), ("b.flac", 2)):
        path = write_clip(tmp_path / name, 3_000, channels=channels)
        expected = soundfile.read(path, dtype="float32", always_2d=True)[0]
        samples, rate = read_samples(str(path))
        assert rate == 16_000
        assert samples.dtype == np.float32
        assert np.array_equal(samples, expected)
        assert np.array_equal(read_samples(str(path), 100, 50)[0], expected[100:150])
        assert read_info(str(path)) == audio.AudioInfo(3_000, 16_000, channels)


CLAIM = r"the header claims 1193 h, but the file has \d+ KB"


def test_a_claim_that_the_file_cannot_hold_is_told_by_every_reader(tmp_path: Path) -> None:
    path = liar(tmp_path / "liar.flac")
    for read in (read_info, read_samples):
        with pytest.raises(UnusableFileError, match=rf"liar\.flac: {CLAIM}"):
            read(str(path))
    assert read_header(Source(path, "liar.flac")).fault.startswith("the header claims 1193 h")
    reader = SpeechReader({}, [(8, 10, 5)])
    with pytest.raises(BadItemError, match=CLAIM) as caught:
        reader.look(Item("liar", "liar", str(path)))
    assert isinstance(caught.value.__cause__, UnusableFileError)
    (tmp_path / "train.tsv").write_text(f"{tmp_path}\nliar.flac\t32000\n")
    with pytest.raises(AudioFileError, match=rf"train\.tsv:2: .*{CLAIM}") as refused:
        CheckedAudioDataset(str(tmp_path / "train.tsv"), 16_000)[0]
    assert isinstance(refused.value.__cause__, UnusableFileError)


def test_a_stream_of_unknown_length_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match="is a stream without a length"):
        read_info(str(liar(tmp_path / "a.flac", b"\0" * 4)))


def test_long_silence_is_believed(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(16_000 * 600, dtype="int16"), 16_000)
    assert read_info(str(tmp_path / "a.flac")).frames == 16_000 * 600


def test_a_missing_package_is_no_bad_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "a.wav", 900)
    (tmp_path / "train.tsv").write_text(f"{tmp_path}\na.wav\t900\n")
    data = CheckedAudioDataset(str(tmp_path / "train.tsv"), 16_000, bad_limit=1)
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    with pytest.raises(ImportError):
        data[0]
    assert data.bad_files.indices == []


def test_a_libsndfile_that_closes_what_it_cannot_read_is_no_other_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As 1.2.0 does, whatever it was told."""
    stock = soundfile.SoundFile

    def closing(file: int, closefd: bool) -> soundfile.SoundFile:
        try:
            return stock(file, closefd=closefd)
        except soundfile.LibsndfileError:
            if not closefd:
                os.close(file)
            raise

    monkeypatch.setattr(soundfile, "SoundFile", closing)
    (tmp_path / "bad.wav").write_bytes(b"no audio" * 10)
    opened = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(UnusableFileError, match=r"bad\.wav: cannot be read"):
        read_samples(str(tmp_path / "bad.wav"))
    assert not opened or len(os.listdir("/proc/self/fd")) == opened


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "folder.wav").mkdir()
    for name, fault in (
        ("pipe", "is a pipe"),
        ("zero", "is a device"),
        ("folder", "is a folder"),
        ("no", "no such file"),
    ):
        with pytest.raises(UnusableFileError, match=rf"{name}\.wav: {fault}"):
            read_samples(str(tmp_path / f"{name}.wav"))


def test_parts_of_a_stored_zip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.flac", 900)
    with zipfile.ZipFile(tmp_path / "all.zip", "w", zipfile.ZIP_STORED) as packed:
        packed.write(clip, "a.flac")
    begin = (tmp_path / "all.zip").read_bytes().index(b"fLaC")
    entry = f"{tmp_path}/all.zip:{begin}:{clip.stat().st_size}"
    assert np.array_equal(read_samples(entry)[0], read_samples(str(clip))[0])
    with pytest.raises(UnusableFileError, match=r"ends after [\d,]+ of 999,999,999,999 bytes"):
        read_samples(f"{tmp_path}/all.zip:{begin}:999999999999")
    with pytest.raises(UnusableFileError, match="not samples: to use a part"):
        read_samples(f"{clip}:10:500")


def test_a_file_may_be_called_like_a_part(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.wav", 900).rename(tmp_path / "a.zip:1:2")
    assert split_entry(str(path)) == (str(path), None)
    assert read_info(str(path)).frames == 900
