"""`data2vec manifest`: what it lists, and what it says of a folder that it cannot list."""

import argparse
import os
import shutil
from pathlib import Path

import numpy
import pytest
import soundfile

from data2vec_plugin.cli import manifest
from data2vec_plugin.files.text.manifests import read_manifest


def write_audio(path: Path, frames: int = 1600, rate: int = 16000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = numpy.random.default_rng(frames).normal(0, 0.1, (frames, channels))
    soundfile.write(path, samples, rate)
    return path


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    manifest.add_arguments(parser)
    return manifest.run(parser.parse_args([str(argument) for argument in arguments]))


def clips(path: Path) -> "list[tuple[str, int]]":
    return [(clip.path, clip.frames) for clip in read_manifest(path).clips]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "corpus"
    for split, count in (("train-clean-100", 3), ("dev-other", 1)):
        for index in range(count):
            write_audio(root / split / "7" / "1" / f"7-1-{index:04d}.flac", 1600 + index)
    return root


def test_a_folder_of_splits_gives_a_sorted_manifest_each(corpus: Path, tmp_path: Path) -> None:
    assert run(corpus, "--out", tmp_path / "data") == 0
    text = (tmp_path / "data" / "train-clean-100.tsv").read_text()
    assert text == (
        f"{corpus}\n"
        "train-clean-100/7/1/7-1-0000.flac\t1600\n"
        "train-clean-100/7/1/7-1-0001.flac\t1601\n"
        "train-clean-100/7/1/7-1-0002.flac\t1602\n"
    )
    assert clips(tmp_path / "data" / "dev-other.tsv") == [("dev-other/7/1/7-1-0000.flac", 1600)]
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "dev-other.tsv",
        "train-clean-100.tsv",
    ]


def test_other_folders_give_a_random_part_that_follows_the_seed(tmp_path: Path) -> None:
    for index in range(10):
        write_audio(tmp_path / "in" / f"{index % 3}" / f"{index}.wav")
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path / "in", "--out", tmp_path / out, "--valid-percent", 30, "--seed", seed)
    valid = {out: clips(tmp_path / out / "valid.tsv") for out in "abc"}
    train = clips(tmp_path / "a" / "train.tsv")
    assert valid["a"] == valid["b"] != valid["c"]
    assert len(valid["a"]) == 3
    assert sorted(train + valid["a"]) == clips_of_ten()
    assert train == sorted(train)


def clips_of_ten() -> "list[tuple[str, int]]":
    return sorted((f"{index % 3}/{index}.wav", 1600) for index in range(10))


def test_broken_files_are_skipped_by_name_and_reason(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = corpus / "train-clean-100" / "7" / "1"
    (folder / "noise.flac").write_bytes(b"not audio at all")
    (folder / "nothing.wav").touch()
    (folder / "song.mp3").write_bytes(b"x")
    (folder / "7-1.trans.txt").write_text("7-1-0000 A\n")
    write_audio(folder / "no-samples.wav", 0)
    run(corpus, "--out", tmp_path / "data")
    said = capsys.readouterr().err
    assert "skipped 1: cannot be read: train-clean-100/7/1/noise.flac" in said
    assert "skipped 2: empty: " in said
    assert "skipped 1: another extension than --ext: train-clean-100/7/1/song.mp3" in said
    assert len(clips(tmp_path / "data" / "train-clean-100.tsv")) == 3


def test_a_name_that_is_not_utf8_is_skipped(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = corpus / "train-clean-100"
    write_audio(folder / "plain.wav")
    try:
        os.rename(os.fsencode(folder / "plain.wav"), os.fsencode(folder) + b"/caf\xe9.wav")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    assert run(corpus, "--out", tmp_path / "data") == 0
    said = capsys.readouterr().err
    assert "skipped 1: has a name that is not UTF-8, which manifests require: train-clean-100/caf\\udce9.wav" in said
    assert len(clips(tmp_path / "data" / "train-clean-100.tsv")) == 3
    os.rename(corpus, os.fsencode(corpus) + b"\xe9")
    with pytest.raises(ValueError, match=r"corpus\\udce9': this folder's name is not UTF-8"):
        run(os.fsdecode(os.fsencode(corpus) + b"\xe9"), "--out", tmp_path / "again")


def test_decode_finds_a_truncated_file(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = write_audio(corpus / "train-clean-100" / "long.flac", 40000)
    whole.write_bytes(whole.read_bytes()[:9000])
    run(corpus, "--out", tmp_path / "data", "--decode")
    said = capsys.readouterr().err
    assert "train-clean-100/long.flac" in said
    assert "truncated" in said or "cannot be read" in said


def test_another_sample_rate_is_refused(corpus: Path, tmp_path: Path) -> None:
    write_audio(corpus / "dev-other" / "slow.wav", rate=8000)
    with pytest.raises(ValueError, match=r"dev-other/slow\.wav \(8000 Hz\).*--resample-to"):
        run(corpus, "--out", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_a_single_file_is_listed_without_a_valid_split(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_audio(tmp_path / "in" / "talk.wav", 800, rate=8000)
    run(tmp_path / "in", "--out", tmp_path / "data", "--resample-to", tmp_path / "new")
    assert [path.name for path in (tmp_path / "data").glob("*.tsv")] == ["train.tsv"]
    assert "no valid.tsv: there is one file only" in capsys.readouterr().err


def test_resample_to_writes_mono_copies_with_their_transcripts(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_audio(tmp_path / "in" / "train" / "a.wav", 800, rate=8000, channels=2)
    (tmp_path / "in" / "train" / "a.txt").write_text("hello")
    (tmp_path / "in" / "train" / "x.trans.txt").write_text("a hello\n")
    run(tmp_path / "in", "--out", tmp_path / "data", "--resample-to", tmp_path / "new")
    written = read_manifest(tmp_path / "data" / "train.tsv")
    assert written.root == tmp_path / "new"
    assert [(clip.path, clip.frames) for clip in written.clips] == [("train/a.flac", 1600)]
    info = soundfile.info(tmp_path / "new" / "train" / "a.flac")
    assert (info.samplerate, info.channels) == (16000, 1)
    copies = {path.name for path in (tmp_path / "new" / "train").iterdir()}
    assert copies == {"a.flac", "a.txt", "x.trans.txt"}
    told = capsys.readouterr()
    assert "1 files have several channels; they are mixed down" in told.err
    assert f"{tmp_path / 'new'}: 1 copies at 16000 Hz, which the manifests list" in told.out


def test_resampling_keeps_a_tone_and_cuts_what_the_new_rate_cannot_hold(tmp_path: Path) -> None:
    time = numpy.arange(44100) / 44100
    for hertz in (440, 9000):
        tone = tmp_path / "in" / f"{hertz}.wav"
        tone.parent.mkdir(exist_ok=True)
        soundfile.write(str(tone), 0.5 * numpy.sin(2 * numpy.pi * hertz * time), 44100)
    run(tmp_path / "in", "--out", tmp_path / "data", "--resample-to", tmp_path / "new")
    for hertz, level in ((440, 0.5), (9000, 0.0)):
        heard, _ = soundfile.read(str(tmp_path / "new" / f"{hertz}.flac"))
        expected = level * numpy.sin(2 * numpy.pi * hertz * numpy.arange(16000) / 16000)
        assert len(heard) == 16000
        assert numpy.abs(heard - expected)[500:-500].max() < 1e-3


def test_a_clip_that_resampling_leaves_nothing_of_is_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_audio(tmp_path / "in" / "train" / "click.wav", 1, rate=44100)
    with pytest.raises(ValueError, match="none of 1 audio files"):
        run(tmp_path / "in", "--out", tmp_path / "data", "--resample-to", tmp_path / "new")
    write_audio(tmp_path / "in" / "train" / "long.wav", 44100, rate=44100)
    run(tmp_path / "in", "--out", tmp_path / "data", "--resample-to", tmp_path / "new")
    assert "skipped 1: empty at 16000 Hz: train/click.wav" in capsys.readouterr().err
    assert clips(tmp_path / "data" / "train.tsv") == [("train/long.flac", 16000)]
    assert not (tmp_path / "new" / "train" / "click.flac").exists()


def test_resample_to_refuses_two_files_that_become_one(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac"):
        write_audio(tmp_path / "in" / "train" / name, rate=8000)
    with pytest.raises(ValueError, match=r"a\.flac and train/a\.wav would become one"):
        run(tmp_path / "in", "--out", tmp_path / "data", "--resample-to", tmp_path / "new")


def test_stereo_is_named_and_counted(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_audio(corpus / "dev-other" / "two.wav", channels=2)
    run(corpus, "--out", tmp_path / "data")
    said = capsys.readouterr().err
    assert "1 files have several channels; fairseq averages them on reading" in said
    assert "dev-other/two.wav" in said


def test_a_folder_without_audio_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ValueError, match="no file ends in flac or wav"):
        run(tmp_path, "--out", tmp_path / "data")
    with pytest.raises(ValueError, match="no such folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="nothing to list"):
        run()


def test_an_empty_manifest_is_never_written(tmp_path: Path) -> None:
    (tmp_path / "in" / "train").mkdir(parents=True)
    (tmp_path / "in" / "train" / "a.wav").touch()
    with pytest.raises(ValueError, match="none of 1 audio files can be read"):
        run(tmp_path / "in", "--out", tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_folders_that_are_splits_in_part_need_a_decision(corpus: Path, tmp_path: Path) -> None:
    write_audio(corpus / "music" / "a.wav")
    with pytest.raises(ValueError, match="not music; give --split-by-folder"):
        run(corpus, "--out", tmp_path / "data")
    run(corpus, "--out", tmp_path / "data", "--split-by-folder", "yes")
    assert (tmp_path / "data" / "music.tsv").exists()


@pytest.mark.parametrize(("percent", "message"), [(100, "expected 0 to"), (99, "leaves none")])
def test_a_valid_part_that_leaves_nothing_is_refused(corpus: Path, tmp_path: Path, percent: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(corpus, "--out", tmp_path / "data", "--valid-percent", percent)


def test_a_table_names_files_and_splits(corpus: Path, tmp_path: Path) -> None:
    table = corpus / "all.csv"
    table.write_text("path,split\ntrain-clean-100/7/1/7-1-0000.flac,train\ntrain-clean-100/7/1/7-1-0001.flac,valid\n")
    run("--csv", table, "--out", tmp_path / "data")
    expected = [("train-clean-100/7/1/7-1-0001.flac", 1601)]
    assert clips(tmp_path / "data" / "valid.tsv") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,split\na.wav,train\n", r"all\.csv, line 1: no column `path`; got file, split"),
        ("path\nthere-is-no.wav\n", r"all\.csv, line 2: no file 'there-is-no\.wav'"),
        ("path,split\n,train\n", r"all\.csv, line 2: the `path` is empty"),
        ("path,split\n", r"all\.csv: has a header, but no lines"),
        ("path,split\na.wav,train\nb.wav,\n", "`split` is empty for 'b.wav'"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    for name in ("a.wav", "b.wav"):
        write_audio(tmp_path / name)
    (tmp_path / "all.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        run("--csv", tmp_path / "all.csv", "--out", tmp_path / "data")


def test_every_row_of_a_table_with_quotes_is_listed(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        write_audio(tmp_path / "clips" / f"clip_{number}.flac")
    fixtures = Path(__file__).resolve().parents[1] / "fixtures" / "tables"
    table = shutil.copy(fixtures / "common_voice_quotes.tsv", tmp_path / "table.tsv")
    run(tmp_path / "clips", "--csv", table, "--out", tmp_path / "data", "--valid-percent", 0)
    assert [name for name, _ in clips(tmp_path / "data" / "train.tsv")] == [f"clip_{n}.flac" for n in (1, 2, 3, 4)]
