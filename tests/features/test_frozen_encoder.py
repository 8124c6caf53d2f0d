"""`data2vec_plugin.load(path).encode(…)`: what the command makes of files, of what is in memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from features.made import TEXTS, clips, ctc_checkpoint, features, read, speech_checkpoint, text_checkpoint
from fresh_python import RunPython, run_python  # noqa: F401
from models.tiny import DIM, LAYERS
from speech import ROOT, write_clip
from text import write_text

import data2vec_plugin


def waveform(samples: int, **options: Any) -> np.ndarray:
    return np.random.default_rng(samples).normal(scale=0.1, size=samples).astype(options.get("dtype", np.float32))


def test_waveforms_and_paths_give_what_the_command_writes(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    data = clips(tmp_path / "data")
    assert features(tmp_path / "model.pt", data, tmp_path / "out", "--layer", "1,last") == 0
    encoder = data2vec_plugin.load(str(tmp_path / "model.pt"), device="cpu")
    assert (encoder.modality, encoder.sample_rate, encoder.layers) == ("speech", 16_000, LAYERS)
    expected = read(tmp_path / "out")
    names = list(expected)
    paths = [data / f"{name}.wav" for name in names]
    waves = [soundfile.read(path, dtype="float32")[0] for path in paths]
    for given in (paths, waves, [torch.from_numpy(wave)[None] for wave in waves]):
        for name, found in zip(names, encoder.encode(given, layer=[1, "last"], sample_rate=16_000)):
            np.testing.assert_allclose(found.numpy(), expected[name], atol=2e-5)
    alone = encoder.encode(waves[0])
    np.testing.assert_allclose(alone.numpy(), expected[names[0]][1], atol=2e-5)
    pooled = encoder.encode(waves[0], pool="mean", layer=1)
    np.testing.assert_allclose(pooled.numpy(), expected[names[0]][0].mean(0), atol=2e-5)
    assert encoder.encode([]) == []


def test_the_teacher_and_fine_tuned_models(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    ctc_checkpoint(tmp_path / "ctc.pt")
    write_clip(tmp_path / "data" / "a.wav", 900, seed=0)
    for name, option in (("model", "--teacher"), ("ctc", "")):
        options = [option] if option else []
        assert features(tmp_path / f"{name}.pt", tmp_path / "data", tmp_path / name, *options) == 0
        encoder = data2vec_plugin.load(tmp_path / f"{name}.pt", teacher=bool(option))
        found = encoder.encode(tmp_path / "data" / "a.wav")
        np.testing.assert_allclose(found.numpy(), read(tmp_path / name)["a"], atol=2e-5)


def test_a_head_may_be_trained_on_features(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    encoder = data2vec_plugin.load(tmp_path / "model.pt")
    head = torch.nn.Linear(DIM, 2)
    head(encoder.encode(waveform(700), pool="mean")).sum().backward()
    assert head.weight.grad is not None
    assert not any(each.requires_grad for each in encoder.model.parameters())


def test_text_gives_what_the_command_writes(tmp_path: Path) -> None:
    text_checkpoint(tmp_path / "model.pt")
    lines = write_text(tmp_path / "lines.txt", TEXTS)
    assert features(tmp_path / "model.pt", lines, tmp_path / "out", "--symbols") == 0
    encoder = data2vec_plugin.load(tmp_path / "model.pt", symbols=True)
    assert (encoder.modality, encoder.sample_rate) == ("text", None)
    for found, expected in zip(encoder.encode(list(TEXTS)), read(tmp_path / "out").values()):
        np.testing.assert_allclose(found.numpy(), expected, atol=2e-5)


def test_text_of_another_dictionary_is_told_each_time(tmp_path: Path) -> None:
    text_checkpoint(tmp_path / "model.pt")
    encoder = data2vec_plugin.load(tmp_path / "model.pt", dictionary=tmp_path / "dict.txt", symbols=True)
    with pytest.warns(UserWarning, match="4 of 4 subwords are unknown"):
        encoder.encode("these are no words")
    with pytest.warns(UserWarning, match="1 of 1 subwords are unknown"):
        encoder.encode("nor")


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (waveform(900, dtype=np.float64).astype(np.int16), {}, r"`source`: holds torch.int16; expected floats"),
        (np.zeros((2, 900), np.float32), {}, r"`source`: has shape \(2, 900\); expected \(samples,\)"),
        ([waveform(900), waveform(2)], {}, r"item 1: 2 samples; one frame of this model requires \d"),
        (np.full(900, np.nan, np.float32), {}, r"`source`: holds NaN"),
        ("gone.wav", {}, r"gone.wav: .*"),
        ([waveform(900), "gone.wav"], {}, r"item 1 \(gone.wav\): "),
        (3, {}, r"`source`: is a int; expected a waveform"),
        (waveform(900), {"sample_rate": 8000}, r"`sample_rate` is 8000, the model's 16000: resample"),
        (waveform(900), {"layer": 99}, r"`layer` is '99'; expected comma-separated numbers from 0"),
        (waveform(900), {"pool": "max"}, r"`pool` is 'max'; expected none, mean, class_token"),
        (waveform(900), {"pool": "class_token"}, r"`pool` is class_token, but model .* has no class token"),
        (waveform(900), {"batch": 0}, r"`batch` is 0; expected more than 0 seconds"),
    ],
)
def test_what_has_no_features_is_named(tmp_path: Path, source: Any, options: Any, message: str) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    encoder = data2vec_plugin.load(tmp_path / "model.pt")
    with pytest.raises(ValueError, match=message):
        encoder.encode(source, **options)


def test_text_refuses_what_is_none(tmp_path: Path) -> None:
    text_checkpoint(tmp_path / "model.pt")
    encoder = data2vec_plugin.load(tmp_path / "model.pt", symbols=True)
    with pytest.raises(ValueError, match="item 1: is a int; expected text"):
        encoder.encode(["w1", 2])
    with pytest.raises(ValueError, match="`source`: is empty"):
        encoder.encode(" ")
    with pytest.raises(ValueError, match="`sample_rate` is 16000, but text has no sample rate"):
        encoder.encode("w1", sample_rate=16_000)
    with pytest.raises(ValueError, match=r"tokens, the model reads at most \d+"):
        encoder.encode("w1 " * 500)
    cut = data2vec_plugin.load(tmp_path / "model.pt", symbols=True, truncate=True)
    with pytest.warns(UserWarning, match="1 lines were cut"):
        assert len(cut.encode("w1 " * 500)) == cut.reader.longest  # type: ignore[attr-defined]


def test_in_a_fresh_interpreter(tmp_path: Path, run_python: RunPython) -> None:  # noqa: F811
    """Nothing need be imported first, and importing the package imports neither torch nor fairseq."""
    speech_checkpoint(tmp_path / "model.pt")
    done = run_python(
        "import sys, data2vec_plugin, numpy\n"
        "assert not {'torch', 'fairseq'} & set(sys.modules)\n"
        f"encoder = data2vec_plugin.load({str(tmp_path / 'model.pt')!r})\n"
        "print(encoder, tuple(encoder.encode(numpy.zeros(900, 'float32') + numpy.arange(900) % 7).shape))\n"
    )
    assert "<data2vec_audio, speech, 16000 Hz, " in done.stdout


def test_the_readmes_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?load\(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    checkpoint = tmp_path / "outputs" / "quickstart" / "pretrain" / "checkpoint_last.pt"
    checkpoint.parent.mkdir(parents=True)
    speech_checkpoint(checkpoint, encoder_layers=4)  # as many as the quickstart's
    (clip,) = re.findall(r'clip = "(.*?)"', code)
    (tmp_path / clip).parent.mkdir(parents=True)
    write_clip(tmp_path / clip, 900)
    monkeypatch.chdir(tmp_path)
    names: Any = {}
    exec(code, names)
    assert names["features"].shape[1:] == (DIM,)
    assert [tuple(each.shape) for each in names["pooled"]] == [(3, DIM)] * 2
