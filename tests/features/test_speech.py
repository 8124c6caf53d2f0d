"""Features of speech: those that the model gives to a clip alone, whatever shares its batch."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
import pytest
import soundfile
import torch
import torch.nn.functional as F
from features.made import SIZES, assert_close, clips, ctc_checkpoint, features, index, read, speech_checkpoint
from models.tiny import DIM, LAYERS
from speech import write_clip, write_manifest

from data2vec_plugin.features.encode import Wanted, encode


def by_hand(model: Any, folder: Path, normalize: bool = True, layer: Optional[int] = None) -> Dict[str, np.ndarray]:
    """What the registered model says of every clip alone."""
    found = {}
    for path in folder.rglob("*.wav"):
        clip = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
        source = F.layer_norm(clip, clip.shape) if normalize else clip
        with torch.no_grad():
            x = model.extract_features(source.unsqueeze(0), layer=layer)["x"].squeeze(0)
        found[path.relative_to(folder).with_suffix("").as_posix()] = x.numpy()
    return found


@pytest.mark.parametrize("norm_first", [False, True], ids=["post_norm", "pre_norm"])
@pytest.mark.parametrize("extractor", ["layer_norm", "default"])
def test_features_are_the_models_own(tmp_path: Path, extractor: str, norm_first: bool) -> None:
    settings = {"extractor_mode": extractor, "layer_norm_first": norm_first}
    model = speech_checkpoint(tmp_path / "model.pt", normalize=norm_first, **settings)
    data = clips(tmp_path / "data")
    assert features(tmp_path / "model.pt", data, tmp_path / "out") == 0
    assert_close(read(tmp_path / "out"), by_hand(model, data, normalize=norm_first))
    rows = {row["id"]: row for row in index(tmp_path / "out")}
    assert list(rows) == sorted(rows)
    assert rows["s0/c0"]["file"] == "s0/c0.npy"
    assert {int(row["channels"]) for row in rows.values()} == {DIM}
    assert np.load(tmp_path / "out" / "s0" / "c0.npy").dtype == np.float32


@pytest.mark.parametrize("compat", [False, True])
def test_neighbours_do_not_matter(tmp_path: Path, compat: bool) -> None:
    """With upstream's faults padding does leak, so only clips of one length share a batch."""
    speech_checkpoint(tmp_path / "model.pt", reference_compat=compat, extractor_mode="default")
    data = clips(tmp_path / "data")
    for name, batch in (("alone", "0.001"), ("some", "0.15"), ("all", "100")):
        assert features(tmp_path / "model.pt", data, tmp_path / name, "--batch", batch) == 0
    assert_close(read(tmp_path / "alone"), read(tmp_path / "some"))
    assert_close(read(tmp_path / "alone"), read(tmp_path / "all"))


def test_layers(tmp_path: Path) -> None:
    model = speech_checkpoint(tmp_path / "model.pt", layer_norm_first=True)
    data = clips(tmp_path / "data")
    assert features(tmp_path / "model.pt", data, tmp_path / "one", "--layer", "1") == 0
    assert_close(read(tmp_path / "one"), by_hand(model, data, layer=1))
    assert features(tmp_path / "model.pt", data, tmp_path / "several", "--layer", "0, 2,last") == 0
    last, top = by_hand(model, data), by_hand(model, data, layer=LAYERS - 1)
    for name, array in read(tmp_path / "several").items():
        assert array.shape == (3, *last[name].shape)
        np.testing.assert_allclose(array[1], top[name], atol=2e-5)
        np.testing.assert_allclose(array[2], last[name], atol=2e-5)
    assert not np.allclose(top["s0/c0"], last["s0/c0"], atol=1e-3)  # the final norm of a pre-norm model


@pytest.mark.parametrize(
    "scope", [{}, {"ema_layers_only": False, "ema_transformer_only": False}], ids=["layers", "model"]
)
def test_teacher(tmp_path: Path, scope: Dict[str, bool]) -> None:
    model = speech_checkpoint(tmp_path / "model.pt", **scope)
    data = clips(tmp_path / "data")
    assert features(tmp_path / "model.pt", data, tmp_path / "teacher", "--teacher") == 0
    assert features(tmp_path / "model.pt", data, tmp_path / "student") == 0
    averaged = model.method.ensure_teacher().module.encoder
    for part in ("transformer", *model.encoder.BORROWED):
        if getattr(averaged, part) is not None:
            setattr(model.encoder, part, getattr(averaged, part))
    wanted = by_hand_of_core(model.encoder, data)
    assert_close(read(tmp_path / "teacher"), wanted)
    assert not np.allclose(read(tmp_path / "student")["s0/c0"], wanted["s0/c0"], atol=1e-2)


def test_teacher_moves_with_the_model(tmp_path: Path) -> None:
    """It is no submodule; what is true of another precision is true of another device."""
    model = speech_checkpoint(tmp_path / "model.pt").double()
    source = torch.randn(1, 900, dtype=torch.float64)
    (found,) = encode(model, source, None, Wanted(teacher=True))
    assert found.dtype == torch.float64


def by_hand_of_core(encoder: Any, folder: Path) -> Dict[str, np.ndarray]:
    """Each clip alone, by the parts of an encoder."""
    found = {}
    for path in folder.rglob("*.wav"):
        clip = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
        with torch.no_grad():
            tokens = encoder.embed(F.layer_norm(clip, clip.shape).unsqueeze(0))
            encoded = encoder.transformer(encoder.first_input(tokens, None).x)
            found[path.relative_to(folder).with_suffix("").as_posix()] = encoded.x[0].numpy()
    return found


def test_fine_tuned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = ctc_checkpoint(tmp_path / "model.pt")
    data = clips(tmp_path / "data")
    assert features(tmp_path / "model.pt", data, tmp_path / "out") == 0
    assert_close(read(tmp_path / "out"), by_hand(model, data))
    assert features(tmp_path / "model.pt", data, tmp_path / "teacher", "--teacher") == 1
    assert "holds no teacher (`_ema`), as is usual after fine-tuning; remove" in capsys.readouterr().err


def test_manifest_and_list_and_zip_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    data = clips(tmp_path / "data")
    names = [f"s{number % 2}/c{number}.wav" for number in range(len(SIZES))]
    write_manifest(tmp_path / "train.tsv", data, dict(zip(names, SIZES)))
    (tmp_path / "list.txt").write_text("".join(f"./{name}\n" for name in names) + "\n")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in names:
            archive.write(data / name, name)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        # 30 bytes of a local header, then the name
        places = {f"all.zip:{i.header_offset + 30 + len(i.filename)}:{i.file_size}": 900 for i in archive.infolist()}
    write_manifest(tmp_path / "zipped.tsv", tmp_path, dict(zip(places, SIZES)))
    for name, listed, options in (
        ("folder", data, ()),
        ("manifest", tmp_path / "train.tsv", ()),
        ("list", tmp_path / "list.txt", ("--root", str(data))),
        ("zip", tmp_path / "zipped.tsv", ()),
    ):
        assert features(tmp_path / "model.pt", listed, tmp_path / name, *options) == 0
    monkeypatch.chdir(data)
    assert features(tmp_path / "model.pt", tmp_path / "list.txt", tmp_path / "here") == 0
    wanted = read(tmp_path / "folder")
    for name in ("manifest", "list", "here"):
        assert_close(read(tmp_path / name), wanted)
    assert [row["id"] for row in index(tmp_path / "list")] == [name[:-4] for name in names]
    zipped = [*read(tmp_path / "zip").values()]
    for array, name in zip(zipped, names):
        np.testing.assert_allclose(array, wanted[name[:-4]], atol=2e-5)


def test_bad_clips_are_skipped_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    data = clips(tmp_path / "data")
    write_clip(data / "fast.wav", 900, rate=44_100)
    write_clip(data / "short.wav", 3)
    write_clip(data / "cut.wav", 500)
    flac = write_clip(data / "half.flac", 9000)
    flac.write_bytes(flac.read_bytes()[:6000])
    (data / "noise.wav").write_bytes(b"no audio")
    (data / "empty.wav").touch()
    soundfile.write(data / "nan.wav", np.array([0.1, np.nan] * 300, dtype="float32"), 16_000, subtype="FLOAT")
    names = [*(f"s{n % 2}/c{n}.wav" for n in range(len(SIZES))), "fast.wav", "short.wav", "noise.wav", "empty.wav"]
    sizes = {**dict.fromkeys([*names, "nan.wav", "gone.wav"], 3), "cut.wav": 5000, "half.flac": 9000}
    listed = write_manifest(tmp_path / "train.tsv", data, sizes)
    assert features(tmp_path / "model.pt", listed, tmp_path / "out") == 1
    told = capsys.readouterr()
    assert "6 of 14 items (0 already there, 8 skipped)" in told.out
    for line in (
        f"train.tsv:8: {data}/fast.wav: sample rate 44100, expected 16000: write copies at the right rate",
        f"train.tsv:9: {data}/short.wav: 3 samples; one frame of this model requires",
        f"train.tsv:10: {data}/noise.wav: cannot be read",
        f"train.tsv:11: {data}/empty.wav: cannot be read",
        f"train.tsv:12: {data}/nan.wav: holds NaN or infinite samples",
        f"train.tsv:13: {data}/gone.wav: no such file",
        f"train.tsv:14: {data}/cut.wav: 500 samples on disk but 5000 in the manifest: the file is truncated",
        f"train.tsv:15: {data}/half.flac: ",
    ):
        assert line in told.err
    assert len((tmp_path / "out" / "skipped.tsv").read_text().splitlines()) == 8
    assert len(read(tmp_path / "out")) == 6
    assert features(tmp_path / "model.pt", listed, tmp_path / "out", "--bad-limit", "8") == 0


def test_channels_are_averaged_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = speech_checkpoint(tmp_path / "model.pt")
    stereo = write_clip(tmp_path / "data" / "a.wav", 900, channels=2)
    assert features(tmp_path / "model.pt", stereo.parent, tmp_path / "out") == 0
    assert "1 clips have several channels, which were averaged" in capsys.readouterr().err
    soundfile.write(stereo, soundfile.read(stereo, dtype="float32")[0].mean(1), 16_000, subtype="FLOAT")
    assert_close(read(tmp_path / "out"), by_hand(model, stereo.parent))


def test_rate_is_the_checkpoints(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt", task={"sample_rate": 8000})
    write_clip(tmp_path / "data" / "a.wav", 900, rate=8000)
    assert features(tmp_path / "model.pt", tmp_path / "data", tmp_path / "out") == 0
