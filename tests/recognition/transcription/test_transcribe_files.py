"""`data2vec transcribe`: folders of recordings, what is kept, what is left out, what is refused."""

from __future__ import annotations

import errno
import json
import shutil
from functools import lru_cache
from html import unescape
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import soundfile
from recognition.recognisers import first_method
from speech import write_clip

import data2vec_plugin
from data2vec_plugin.cli.main import main
from data2vec_plugin.decoding.greedy import GreedyCtcDecoder
from data2vec_plugin.decoding.words import words_of
from data2vec_plugin.recognition.recogniser import Recogniser, open_recogniser
from data2vec_plugin.recognition.transcription import results_folder

RATE = 800
SECONDS = (1.1, 5.3, 2.4, 0.7, 2.4, 30.0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recogniser at a low rate, so that minutes are few frames, and a folder of recordings."""
    folder = tmp_path_factory.mktemp("made")
    first_method(folder / "model.pt", sample_rate=RATE)
    for number, seconds in enumerate(SECONDS):
        write_clip(folder / "in" / f"s{number % 2}" / f"c{number}.wav", int(seconds * RATE), RATE, seed=number)
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of the recordings, to spoil."""
    shutil.copytree(made / "in", tmp_path / "in")
    return tmp_path / "in"


def run(made: Path, *words: object) -> int:
    return main(["transcribe", str(made / "model.pt"), *map(str, words), "--device=cpu"])


def texts(out: Path) -> Dict[str, str]:
    return {path.relative_to(out).as_posix(): path.read_text("utf-8") for path in sorted(out.rglob("*.txt"))}


@lru_cache(maxsize=1)
def opened(path: Path) -> Recogniser:
    return open_recogniser(path, "cpu")


def alone(made: Path, path: Path) -> str:
    """What the recogniser says of a whole file."""
    recogniser = opened(made / "model.pt")
    (emissions,) = recogniser.emissions([soundfile.read(path, dtype="float32")[0]])
    (decoded,) = GreedyCtcDecoder(recogniser.blank).decode(emissions)
    return " ".join(word.text for word in words_of(decoded, recogniser.symbols)) + "\n"


def test_what_fits_a_window_has_the_text_that_it_has_alone(made: Path, tmp_path: Path) -> None:
    assert run(made, made / "in", "--out", tmp_path / "out", "--batch", "6") == 0
    found = texts(tmp_path / "out")
    assert list(found) == [f"s{number % 2}/c{number}.txt" for number in (0, 2, 4, 1, 3, 5)]
    for name, text in found.items():
        if name != "s1/c5.txt":
            assert text == alone(made, (made / "in" / name).with_suffix(".wav"))
    assert run(made, made / "in", "--out", tmp_path / "one", "--batch", "0.001") == 0
    assert texts(tmp_path / "one") == found


def test_every_format_says_the_same(made: Path, tmp_path: Path) -> None:
    assert run(made, made / "in", "--out", tmp_path, "--format", "ctm,txt,json,vtt,srt") == 0
    content = json.loads((tmp_path / "s0" / "c2.json").read_text("utf-8"))
    words = (tmp_path / "s0" / "c2.txt").read_text("utf-8").split()
    assert words
    assert [word["word"] for word in content["words"]] == words
    assert content["text"].split() == words
    assert content["duration"] == 2.4
    assert content["made_with"]["decoding"] == {"search": "greedy"}
    rows = [line.split() for line in (tmp_path / "s0" / "c2.ctm").read_text("utf-8").splitlines()]
    assert [row[4] for row in rows] == words
    assert [float(row[2]) for row in rows] == [word["start"] for word in content["words"]]
    for name in ("c2.srt", "c2.vtt"):
        text = unescape((tmp_path / "s0" / name).read_text("utf-8").replace("-->", "→"))
        shown = [line for line in text.splitlines() if line and "→" not in line and not line.isdigit()]
        assert "".join(" ".join(line for line in shown if line != "WEBVTT").split()) == "".join(words)
    times = [(word["start"], word["end"]) for word in content["words"]]
    assert all(0 <= start < end <= 2.4 for start, end in times)


def test_a_finished_folder_is_left_alone_and_goes_on(
    made: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(made, data, "--out", out) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.txt")}
    (out / "s0" / "c2.txt").unlink()
    write_clip(data / "s1" / "c1.wav", 2 * RATE, RATE, seed=9)
    write_clip(data / "new.wav", RATE, RATE, seed=10)
    capsys.readouterr()
    assert run(made, data, "--out", out) == 0
    assert "7 of 7 transcripts (4 already there), 0 skipped" in capsys.readouterr().out
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*.txt")}
    same = {path.relative_to(out).as_posix() for path in before if before[path] == after[path]}
    assert same == {"s0/c0.txt", "s0/c4.txt", "s1/c3.txt", "s1/c5.txt"}
    assert (out / "s1" / "c1.txt").read_text("utf-8") == alone(made, data / "s1" / "c1.wav")


def test_another_setting_is_refused_until_all_is_to_be_made_anew(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = made / "in" / "s0"
    assert run(made, clip, "--out", tmp_path) == 0
    for name, *other in (
        ("formats", "--format", "srt"),
        ("cutting.window", "--window", "30"),
        ("cutting.way", "--cut", "windows"),
    ):
        assert run(made, clip, "--out", tmp_path, *other) == 1
        assert f"holds transcripts that were made with other settings: `{name}` was " in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.srt"))
    assert run(made, clip, "--out", tmp_path, "--format", "srt", "--overwrite") == 0
    assert len(list(tmp_path.rglob("*.srt"))) == 3
    assert run(made, clip, "--out", tmp_path, "--format", "srt") == 0


def test_what_cannot_be_read_is_counted_and_told(
    made: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "words.wav").write_text("no audio at all")
    (data / "nothing.wav").touch()
    write_clip(data / "short.wav", 3, RATE)
    soundfile.write(data / "nan.wav", np.full(RATE, np.nan, "float32"), RATE, subtype="FLOAT")
    whole = (data / "s0" / "c2.wav").read_bytes()
    (data / "s0" / "c2.wav").write_bytes(whole[: len(whole) // 2])
    out = tmp_path / "out"
    assert run(made, data, "--out", out) == 1
    lines = (out / "skipped.tsv").read_text("utf-8").splitlines()
    reasons = {Path(line.split("\t")[0]).name: line.split("\t")[1] for line in lines}
    assert reasons.pop("nothing.wav") == "cannot be read (empty)"
    assert reasons.pop("short.wav").startswith("3 samples; one frame of this model requires ")
    assert reasons.pop("nan.wav") == "holds NaN or infinite samples"
    assert "cannot be read" in reasons.pop("words.wav")
    # libsndfile believes a header or the file's size, whichever is less
    assert set(reasons) <= {"c2.wav"}
    assert f"{len(lines)} skipped" in capsys.readouterr().out
    assert len(texts(out)) == len(SECONDS) - len(reasons)
    assert run(made, data, "--out", out, "--bad-limit", "5") == 0


def test_silence_is_an_empty_text(made: Path, tmp_path: Path) -> None:
    for name, seconds in (("short", 3), ("long", 50)):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(seconds * RATE, "float32"), RATE)
    assert run(made, tmp_path, "--out", tmp_path / "out", "--format", "txt,json,srt,vtt,ctm") == 0
    for name in ("short", "long"):
        ends = {kind: (tmp_path / "out" / f"{name}.{kind}").read_text("utf-8") for kind in ("txt", "srt", "vtt", "ctm")}
        assert ends == {"txt": "\n", "srt": "", "vtt": "WEBVTT\n\n", "ctm": ""}
        assert json.loads((tmp_path / "out" / f"{name}.json").read_text("utf-8"))["words"] == []


def test_two_of_one_name_are_refused_and_folders_are_kept(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a/x.wav", "b/x.wav", "b/x.flac"):
        write_clip(tmp_path / name, RATE, RATE)
    assert run(made, tmp_path / "b", "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "b/x.flac" in said
    assert "b/x.wav would both be stored as 'x'" in said
    assert not (tmp_path / "out").exists()
    assert run(made, tmp_path / "a", tmp_path / "b" / "x.wav", "--out", tmp_path / "out") == 0
    assert list(texts(tmp_path / "out")) == ["a/x.txt", "b/x.txt"]


def test_what_others_wrote_stays(made: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "s0" / "c2.txt").write_text("a transcript by hand")
    assert run(made, data, "--out", data) == 1
    assert "c2.txt: not written by this command" in capsys.readouterr().err
    assert list(texts(data)) == ["s0/c2.txt"]
    (data / "s0" / "c2.txt").unlink()
    assert run(made, data, "--out", data) == 0
    (data / "s0" / "c2.txt").write_text("changed by hand")
    assert run(made, data, "--out", data) == 0
    assert (data / "s0" / "c2.txt").read_text() == "changed by hand"


def test_a_disk_that_fills_loses_nothing(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: List[Path] = []
    real = results_folder.write_atomically

    def fills(path: Path, content: Any) -> None:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        real(path, content)

    monkeypatch.setattr(results_folder, "write_atomically", fills)
    assert run(made, made / "in", "--out", tmp_path) == 1
    said = capsys.readouterr()
    assert "No space left on device" in said.err
    assert "3 of 6 transcripts" in said.out
    assert "3 recordings are left to do; run the same command again to continue" in said.err
    monkeypatch.undo()
    assert run(made, made / "in", "--out", tmp_path) == 0
    assert "6 of 6 transcripts (3 already there)" in capsys.readouterr().out


def test_a_beam_gives_several_readings(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("flashlight.lib.text")
    clips = made / "in" / "s0"
    assert run(made, clips, "--out", tmp_path, "--format", "json", "--beam", "8", "--nbest", "3") == 0
    content = json.loads((tmp_path / "c0.json").read_text("utf-8"))
    (segment,) = content["segments"]
    assert len(segment["nbest"]) == 3
    assert segment["nbest"][0]["text"] == content["text"]
    scores = [reading["score"] for reading in segment["nbest"]]
    assert scores == sorted(scores, reverse=True)
    assert content["made_with"]["decoding"]["search"] == "beam"
    assert run(made, clips, "--out", tmp_path, "--format", "json", "--beam", "9", "--nbest", "3") == 1


def test_from_python(made: Path) -> None:
    clip = made / "in" / "s0" / "c2.wav"
    recogniser = data2vec_plugin.load_recogniser(made / "model.pt", device="cpu")
    transcript = recogniser.transcribe(clip)
    assert transcript.text + "\n" == alone(made, clip)
    assert recogniser.transcribe(soundfile.read(clip, dtype="float32")[0]) == transcript
    assert [word.text for word in transcript.words] == transcript.text.split()
    with pytest.raises(ValueError, match="nowhere: no such file"):
        recogniser.transcribe("nowhere")
    with pytest.raises(ValueError, match="3 samples; one frame of this model requires"):
        recogniser.transcribe(np.zeros(3, "float32"))
    with pytest.raises(ValueError, match="`--nbest` is 3; expected at most `--beam`"):
        data2vec_plugin.load_recogniser(made / "model.pt", beam=2, nbest=3)


@pytest.mark.parametrize("name", ["lexicon", "lm_model"])
def test_from_python_files_of_beam_search_are_paths_or_strings(made: Path, name: str) -> None:
    pytest.importorskip("flashlight")
    for kind in (str, Path):
        with pytest.raises(ValueError, match="no-such-file"):
            data2vec_plugin.load_recogniser(made / "model.pt", **{name: kind("no-such-file")})


def test_text_goes_to_standard_output(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = made / "in" / "s0" / "c0.wav", made / "in" / "s1" / "c3.wav"
    assert run(made, first) == 0
    assert capsys.readouterr().out == alone(made, first)
    assert run(made, second, first) == 0
    assert capsys.readouterr().out == "".join(f"{path}\t{alone(made, path)}" for path in (second, first))
    assert run(made, first, "--format", "srt") == 1
    assert "`--format srt` writes files; give their folder with `--out FOLDER`" in capsys.readouterr().err


def test_other_rates_and_channels_are_brought_to_the_models(made: Path, tmp_path: Path) -> None:
    samples, _ = soundfile.read(made / "in" / "s0" / "c2.wav", dtype="float32")
    both = np.stack([1.5 * samples, 0.5 * samples], axis=1)
    soundfile.write(tmp_path / "stereo.wav", both, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "fast.wav", np.repeat(samples, 2), 2 * RATE, subtype="FLOAT")
    assert run(made, tmp_path, "--out", tmp_path / "out", "--format", "json") == 0
    stereo, fast = (json.loads((tmp_path / "out" / f"{name}.json").read_text("utf-8")) for name in ("stereo", "fast"))
    assert stereo["text"] + "\n" == alone(made, made / "in" / "s0" / "c2.wav")
    assert abs(fast["duration"] - stereo["duration"]) < 0.01


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "nowhere does not exist; give recordings, or folders of them"),
        ((".", "--format", "doc"), "`--format` is 'doc'; expected txt, json, srt, vtt, ctm"),
        ((".", "--batch", "0"), "`--batch` is 0; expected more than 0 seconds"),
        ((".", "--cut", "words"), "`--cut` is 'words'; expected pauses, vad, windows"),
        (("empty",), "empty: no file with extension .aif"),
    ],
)
def test_what_cannot_be_asked_for(
    made: Path, words: Any, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (made / "in" / "empty").mkdir(exist_ok=True)
    monkeypatch.chdir(made / "in")
    assert run(made, *words) == 1
    assert said in capsys.readouterr().err
