"""Sound of any file: in pieces by libsndfile, or by ffmpeg, real or one that says what it is told to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from speech import write_clip

from data2vec_plugin.files.media.audio import read_blocks, read_samples
from data2vec_plugin.files.media.sounds import sound_blocks, sound_info
from data2vec_plugin.files.unusable import UnusableFileError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not on the PATH")


@pytest.mark.parametrize("name", ["a.wav", "b.flac"])
@pytest.mark.parametrize("size", [1, 700, 5000])
def test_pieces_are_the_file(name: str, size: int, tmp_path: Path) -> None:
    path = str(write_clip(tmp_path / name, 2_100, channels=2))
    pieces = list(read_blocks(path, size))
    assert {len(piece) for piece in pieces[:-1]} <= {size}
    assert np.array_equal(np.concatenate(pieces), read_samples(path)[0])


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """An `ffmpeg` first on the PATH that runs ``script``, with its last argument but one as ``path``."""
    program = folder / "bin" / "ffmpeg"
    program.parent.mkdir()
    body = f"import sys, struct\nasked = 'pipe:1' not in sys.argv\n{script}\n"
    program.write_text(f"#!{sys.executable}\n{body}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


STREAMS = (
    "sys.stderr.write('Duration: 00:01:02.50, start\\n  Stream #0:0: Video: h264\\n')\n"
    "    sys.stderr.write('  Stream #0:1[0x2](und): Audio: aac (LC), 8000 Hz, stereo\\n')"
)
SOUND = (
    "sys.stdout.buffer.write(struct.pack('>4s5I', b'.snd', 28, 0xffffffff, 6, 8000, 2) + bytes(4)"
    " + struct.pack('>6f', *range(6)))"
)


def video(folder: Path) -> str:
    path = folder / "film.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    return str(path)


def test_what_libsndfile_does_not_read_goes_to_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, f"if asked:\n    {STREAMS}\nelse:\n    {SOUND}")
    info = sound_info(video(tmp_path))
    assert (info.frames, info.sample_rate) == (500_000, 8_000)
    pieces = list(sound_blocks(video(tmp_path), 2))
    assert [piece.tolist() for piece in pieces] == [[[0, 1], [2, 3]], [[4, 5]]]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sys.exit('moov atom not found')", r"film\.mp4: cannot be read, not even by ffmpeg \(moov atom not found\)"),
        (f"{SOUND}; sys.stdout.flush(); sys.exit('x' * 10**6 + '\\nbroken at 1 s')", r"ffmpeg \(broken at 1 s\)"),
        ("sys.stdout.write('no AU, but more than a header is long')", "ffmpeg wrote something other than AU"),
    ],
)
def test_what_ffmpeg_does_not_read_is_told(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, script)
    with pytest.raises(UnusableFileError, match=said):
        list(sound_blocks(video(tmp_path)))


def test_a_video_without_sound_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, "sys.stderr.write('  Stream #0:0: Video: h264, 25 fps\\n')")
    with pytest.raises(UnusableFileError, match=r"film\.mp4: has no audio stream"):
        sound_info(video(tmp_path))


def test_without_ffmpeg_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        UnusableFileError, match=r"cannot be read \(.*\); ffmpeg, which reads m4a, mp4 and video, is not"
    ):
        sound_info(video(tmp_path))
    with pytest.raises(UnusableFileError, match="no such file"):
        sound_info(str(tmp_path / "nowhere.mp4"))


def test_who_stops_listening_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, f"{SOUND}\nwhile True: sys.stdout.buffer.write(bytes(80000))")
    pieces = sound_blocks(video(tmp_path))
    assert next(pieces).shape[1] == 2
    pieces.close()  # type: ignore[attr-defined]  # returns, since the program is ended and waited for


@needs_ffmpeg
def test_a_film_sounds_as_its_track(tmp_path: Path) -> None:
    track = tmp_path / "track.wav"
    soundfile.write(track, np.sin(np.arange(16_000) / 20).astype("float32") * 0.3, 16_000)
    film = tmp_path / "a film.mkv"
    picture = ["-f", "lavfi", "-i", "color=black:size=16x16:rate=5:duration=1"]
    command = ["ffmpeg", "-v", "error", *picture, "-i", str(track), "-c:a", "flac", str(film)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    info = sound_info(str(film))
    assert info.sample_rate == 16_000
    assert abs(info.frames - 16_000) < 1_600
    found = np.concatenate(list(sound_blocks(str(film))))
    np.testing.assert_allclose(found[:, 0], read_samples(str(track))[0][:, 0], atol=1e-4)
