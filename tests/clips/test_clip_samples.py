"""`data2vec multimodal encode`: the features of raw clips as samples, what is missing, what cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

import numpy as np
import pytest

pytest.importorskip("torchvision")
from clip_files import COLUMNS, ROWS, features_of, multimodal, options, write_clips, write_stream_encoders, write_table
from features.made import features, read, several_checkpoint
from models.tiny import DIM
from models.tiny_vision import N
from speech import write_clip

from data2vec_plugin import load
from data2vec_plugin.clips.streams import block_means
from data2vec_plugin.files.multimodal.sequences import read_samples, read_stats

Encoders = Dict[str, Path]
AVERAGED = 160  # frames of the speech model at 1,600 Hz, for 10 Hz


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Encoders:
    return write_stream_encoders(tmp_path_factory.mktemp("encoders"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def data(clips: Path, encoders: Encoders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("data") / "data"
    assert multimodal("encode", clips / "train.tsv", "--out", out, *options(encoders)) == 0
    return out


def test_clips_become_samples_as_the_task_reads_them(data: Path) -> None:
    samples = read_samples(data / "train.tsv")
    assert [sample.name for sample in samples] == ["whole", "picture", "silent words", "listed"]
    assert [sample.lengths for sample in samples] == [(3, 3, 2), (1, 0, 0), (0, 2, 0), (2, 3, 1)]
    assert (data / "train.label").read_text() == "1\n0\n2\n0\n"
    stats = read_stats(data, ["vision", "text", "audio"])
    assert {array.shape for array in stats.values()} == {(DIM,)}


def test_features_are_those_of_the_encoders(data: Path, clips: Path, encoders: Encoders) -> None:
    found = features_of(data, "train", 0)
    heard = load(encoders["audio"], device="cpu").encode(str(clips / "a.wav")).numpy()
    np.testing.assert_allclose(found["audio"], [heard[:AVERAGED].mean(0), heard[AVERAGED:].mean(0)], atol=1e-5)
    words = load(encoders["text"], device="cpu", symbols=True).encode("w1 w2 w3").numpy()
    np.testing.assert_allclose(found["text"], words[1:-1], atol=1e-5)  # neither <s> nor </s>
    frames = [str(clips / "frames" / f"{number}.png") for number in range(3)]
    seen = load(encoders["vision"], device="cpu").encode(frames, pool="mean")
    np.testing.assert_allclose(found["vision"], np.stack([row.numpy() for row in seen]), atol=1e-5)
    np.testing.assert_allclose(features_of(data, "train", 4)["vision"][1], found["vision"][1], atol=1e-5)


def test_one_checkpoint_of_data2vec_2_encodes_every_stream(clips: Path, tmp_path: Path) -> None:
    path = several_checkpoint(tmp_path / "model.pt")
    encoders = dict.fromkeys(("vision", "text", "audio"), path)
    assert multimodal("encode", clips / "train.tsv", "--out", tmp_path / "data", *options(encoders)) == 0
    found = features_of(tmp_path / "data", "train", 0)
    words = load(path, device="cpu", modality="text", symbols=True).encode("w1 w2 w3").numpy()
    np.testing.assert_allclose(found["text"], words[1:-1], atol=1e-5)
    frames = [str(clips / "frames" / f"{number}.png") for number in range(3)]
    seen = load(path, device="cpu", modality="image").encode(frames, pool="mean")
    np.testing.assert_allclose(found["vision"], np.stack([row.numpy() for row in seen]), atol=1e-5)
    heard = load(path, device="cpu", modality="speech").encode(str(clips / "a.wav")).numpy()
    means = [block_means(heard, size) for size in range(1, len(heard) + 1)]
    alike = [
        rows for rows in means if rows.shape == found["audio"].shape and np.allclose(rows, found["audio"], atol=1e-5)
    ]
    assert len(alike) == 1


def test_features_are_kept_as_data2vec_features_keeps_them(
    data: Path, clips: Path, encoders: Encoders, tmp_path: Path
) -> None:
    (tmp_path / "list.txt").write_text(f"{clips / 'a.wav'}\n{clips / 'b.wav'}\n")
    assert features(encoders["audio"], tmp_path / "list.txt", tmp_path / "out") == 0
    kept, alone = read(data / "streams" / "audio"), read(tmp_path / "out")
    assert kept.keys() == alone.keys()
    assert all(np.array_equal(array, alone[name]) for name, array in kept.items())
    assert len(read(data / "streams" / "text")) == 2  # a text that two clips have is read once


def test_a_second_split_is_made_alike_or_not_at_all(
    data: Path, clips: Path, encoders: Encoders, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(clips / "valid.tsv", [("one", "w1 w2 w3")], ("id", "text"))
    assert multimodal("encode", clips / "valid.tsv", "--out", data, *options({"text": encoders["text"]})) == 1
    assert (
        "holds features that were made with other settings: `vision.model` was 'data2vec_vision', is None"
        in read_error(capsys)
    )
    write_table(clips / "valid.tsv", [ROWS[0]])
    words = ("encode", clips / "valid.tsv", "--out", data)
    assert multimodal(*words, "--audio-rate=20", *options(encoders)) == 1
    assert "`audio.frames_averaged` was 160, is 80" in read_error(capsys)
    assert multimodal(*words, *options(encoders)) == 0
    assert "(3 already there, 0 skipped)" in capsys.readouterr().out
    assert (data / "valid.label").read_text() == "1\n"


def read_error(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_what_is_dropped_and_left_out_is_counted(
    clips: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (clips / "broken.wav").write_bytes(b"RIFF")
    write_table(clips / "bad.tsv", [*ROWS, ("broken", "", "w1", "broken.wav", "1"), ("gone", "no.png", "", "", "1")])
    words = ("encode", clips / "bad.tsv", "--out", tmp_path / "out", *options(encoders))
    assert multimodal(*words) == 1
    said = capsys.readouterr().err
    assert "bad.tsv:7: " in said
    assert "no.png" in said  # all streams are looked through
    assert not (tmp_path / "out" / "bad.tsv").exists()
    assert multimodal(*words, "--bad-limit=1") == 0
    said = capsys.readouterr().out
    assert "4 of 7 clips, 1 without vision, 1 without text, 2 without audio" in said
    assert "1 dropped without any stream: nothing" in said
    assert "2 skipped with unreadable files: broken, gone" in said
    assert len(read_samples(tmp_path / "out" / "bad.tsv")) == 4


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        (("id", "words"), [("a", "w1")], "no column `vision`, `text` or `audio`; expected a header such as"),
        (("id", "text"), [("a", "w1"), ("a", "w2")], "line 3: `id` 'a' is already used in line 2; rename one"),
        (("id", "text", "label"), [("a", "w1", "")], "line 2: the `label` is empty; label either all clips or none"),
        (("id", "text", "vision"), [("a", "w1", "no-folder")], "line 2: `vision`"),
        (("id", "text"), [("a", "")], "no clip is left: 0 of 1 clips, 1 dropped without any stream: a"),
    ],
)
def test_tables_that_cannot_be_used(
    columns: tuple[str, ...],
    rows: list[tuple[str, ...]],
    message: str,
    encoders: Encoders,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = write_table(tmp_path / "train.tsv", rows, columns)
    used = {name: path for name, path in encoders.items() if name in columns} or {"text": encoders["text"]}
    assert multimodal("encode", table, "--out", tmp_path / "out", *options(used)) == 1
    assert message in read_error(capsys)


def test_encoders_that_do_not_fit(
    clips: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("encode", clips / "train.tsv", "--out", tmp_path / "out", "--device=cpu")
    for more, message in (
        ([], "no encoder; give `--audio CHECKPOINT` and `--text CHECKPOINT` and `--vision CHECKPOINT`"),
        ([f"--vision={encoders['audio']}"], "reads speech; expected an encoder of image"),
        ([f"--audio={encoders['audio']}", "--audio-rate=0"], "`--audio-rate` is 0; expected frames per second"),
        ([f"--audio={encoders['audio']}", "--layer=0,1"], "`--layer` is '0,1'; expected one block"),
        (
            [f"--audio={encoders['audio']}", "--layer=9"],
            "`--layer` is '9'; expected comma-separated numbers from 0 to 2",
        ),
    ):
        assert multimodal(*words, *more) == 1
        assert message in read_error(capsys)
    table = write_table(tmp_path / "text.tsv", [("a", "w1")], ("id", "text"))
    assert multimodal("encode", table, "--out", tmp_path / "out", *options(encoders)) == 1
    assert "`--audio` is given, but" in read_error(capsys)
    assert not (tmp_path / "out").exists()


def test_sound_and_text_need_no_torchvision(
    encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "torchvision", None)
    write_clip(tmp_path / "a.wav", 900)
    table = write_table(tmp_path / "train.tsv", [("a", "w1 w2", "a.wav")], ("id", "text", "audio"))
    used = {name: encoders[name] for name in ("text", "audio")}
    assert multimodal("encode", table, "--out", tmp_path / "out", *options(used)) == 0
    assert read_samples(tmp_path / "out" / "train.tsv")[0].lengths == (0, 2, 1)
    assert not (tmp_path / "out" / "train.label").exists()


def test_a_column_without_an_encoder_is_told(
    clips: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("encode", clips / "train.tsv", "--out", tmp_path, *options({"text": encoders["text"]}))
    assert multimodal(*words) == 0
    said = capsys.readouterr().out
    assert "the column `audio` is ignored, since no `--audio` is given" in said
    assert COLUMNS[1] == "vision"
    assert [sample.lengths[0] for sample in read_samples(tmp_path / "train.tsv")] == [0, 0, 0]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_block_means(size: int) -> None:
    rows = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    expected = np.stack([rows[start : start + size].mean(0) for start in range(0, 7, size)])
    np.testing.assert_allclose(block_means(rows, size), expected, atol=1e-6)


def test_patches_are_frames_of_their_own(clips: Path, encoders: Encoders, data: Path, tmp_path: Path) -> None:
    table, out = clips / "train.tsv", tmp_path / "out"
    assert multimodal("encode", table, "--out", out, "--patches", *options({"vision": encoders["vision"]})) == 0
    patches, means = (features_of(folder, "train", 0)["vision"] for folder in (out, data))
    assert patches.shape == (3 * N, DIM)
    np.testing.assert_allclose(patches.reshape(3, N, DIM).mean(1), means, atol=1e-5)
