"""Exported models beside torch: recognisers, encoders of each modality, int8, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch
from features.made import speech_checkpoint, text_checkpoint
from models.tiny import tiny_model
from recognition.recognisers import changed, clips, first_method, second_method
from torch.nn import functional as F

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from data2vec_plugin import load  # noqa: E402
from data2vec_plugin.checkpoints.exported import exported  # noqa: E402
from data2vec_plugin.cli.main import main  # noqa: E402
from data2vec_plugin.decoding.greedy import GreedyCtcDecoder  # noqa: E402
from data2vec_plugin.export.graphs import PaddedGraph  # noqa: E402
from data2vec_plugin.files.onnx_model import read_onnx  # noqa: E402
from data2vec_plugin.recognition.recogniser import CtcRecogniser, open_recogniser  # noqa: E402


def export(checkpoint: Path, out: Path, *options: str) -> int:
    return main(["export", str(checkpoint), "--to", "onnx", "--out", str(out), *options])


@pytest.mark.parametrize("made", [first_method, second_method], ids=["v1", "v2"])
def test_an_exported_recogniser_is_the_recogniser(made: Any, tmp_path: Path) -> None:
    made(tmp_path / "model.pt")
    path = changed(tmp_path / "model.pt", blank_weight=1.5) if made is second_method else tmp_path / "model.pt"
    assert export(path, tmp_path / "model.onnx") == 0
    ours, theirs = open_recogniser(path, "cpu"), open_recogniser(tmp_path / "model.onnx", "cpu")
    assert isinstance(ours, CtcRecogniser)
    assert not isinstance(theirs, CtcRecogniser)
    for name in ("symbols", "blank", "sample_rate", "normalize", "hop", "shortest", "like_only"):
        assert getattr(ours, name) == getattr(theirs, name)
    given = clips((ours.shortest, 3 * ours.shortest, 5000, 1234, 777))
    for left, right in zip(ours.emissions(given), theirs.emissions(given)):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)


def test_int8_is_smaller_nearly_the_same_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first_method(tmp_path / "model.pt")
    assert export(tmp_path / "model.pt", tmp_path / "small.onnx", "--int8") == 0
    assert "int8" in (said := capsys.readouterr().out)
    assert "same best symbol in" in said
    assert read_onnx(tmp_path / "small.onnx").parameters["int8"] > 0
    ours, theirs = (open_recogniser(tmp_path / name, "cpu") for name in ("model.pt", "small.onnx"))
    (left,), (right,) = ours.emissions(clips((5000,))), theirs.emissions(clips((5000,)))
    assert float((left - right).abs().max()) > 0
    assert float(F.cosine_similarity(left.exp(), right.exp(), dim=-1).mean()) > 0.98
    assert ours.digest != theirs.digest


def run(path: Path, **inputs: np.ndarray) -> Any:
    return onnxruntime.InferenceSession(str(path)).run(None, inputs)


def test_an_encoder_gives_the_features_of_the_command(tmp_path: Path) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    assert export(tmp_path / "model.pt", tmp_path / "model.onnx") == 0
    facts = exported(tmp_path / "model.onnx", read_onnx(tmp_path / "model.onnx"))
    assert facts is not None
    assert (facts.what, facts.modality, facts.normalize) == ("encoder", "speech", True)
    waves = [torch.randn(size) for size in (900, 510)]
    wanted = load(tmp_path / "model.pt", device="cpu").encode(waves)
    source = np.zeros((2, 900), "float32")
    for row, wave in enumerate(waves):
        source[row, : len(wave)] = F.layer_norm(wave, wave.shape).numpy()
    features, frames = run(tmp_path / "model.onnx", source=source, lengths=np.array([900, 510]))
    assert frames.tolist() == [len(each) for each in wanted]
    for row, count, each in zip(features, frames, wanted):
        np.testing.assert_allclose(row[:count], each.numpy(), atol=1e-4)


def test_text_is_exported_too(tmp_path: Path) -> None:
    text_checkpoint(tmp_path / "model.pt")
    assert export(tmp_path / "model.pt", tmp_path / "model.onnx") == 0
    wanted = load(tmp_path / "model.pt", device="cpu", symbols=True).encode(["w1 w2 w3", "w4"])
    ids = np.array([[0, 5, 6, 7, 2], [0, 8, 2, 1, 1]])
    features, frames = run(tmp_path / "model.onnx", tokens=ids, lengths=np.array([5, 3]))
    for row, count, each in zip(features, frames, wanted):
        np.testing.assert_allclose(row[:count], each.numpy(), atol=1e-4)


def test_what_is_refused_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    speech_checkpoint(tmp_path / "model.pt")
    for options, told in {
        ("--what", "ctc"): "fine-tuned on transcripts",
        ("--opset", "9"): "`--opset` is 9; expected 17 to",
        ("--dict", "no.txt"): "has no dictionary",
    }.items():
        assert export(tmp_path / "model.pt", tmp_path / "out" / "model.onnx", *options) == 1
        assert told in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))


def test_a_file_that_does_not_do_what_torch_does_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from data2vec_plugin.export import to_onnx

    first_method(tmp_path / "model.pt")
    describe = to_onnx.describe

    def damaged(path: Path, facts: Any) -> None:
        describe(path, facts)
        model = onnx.load(str(path))
        weight = next(each for each in model.graph.initializer if each.name.endswith("head.proj.bias"))
        weight.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight) * 0.9, weight.name))
        onnx.save(model, str(path))

    monkeypatch.setattr(to_onnx, "describe", damaged)
    (tmp_path / "model.onnx").write_text("the file of before")
    assert export(tmp_path / "model.pt", tmp_path / "model.onnx") == 1
    assert "differs from torch by" in capsys.readouterr().err
    assert (tmp_path / "model.onnx").read_text() == "the file of before"


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_told(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    assert export(tmp_path / "model.pt", tmp_path / "model.onnx") == 1
    assert "pip install 'data2vec-fairseq[onnx]'" in capsys.readouterr().err


@pytest.mark.parametrize("settings", [{"extractor_mode": "layer_norm"}, {"extractor_mode": "default"}], ids=str)
@pytest.mark.parametrize("trained", [False, True], ids=["frozen", "with gradients"])
def test_the_tracing_exporter_takes_what_is_left_for_fine_tuning(
    settings: Dict[str, Any], trained: bool, tmp_path: Path
) -> None:
    model = tiny_model(encoder_layers=1, average_top_k_layers=1, **settings)
    model.remove_pretraining_modules()
    graph = PaddedGraph(model.eval().encoder).requires_grad_(trained)
    inputs = torch.randn(2, 600), torch.tensor([600, 400])
    axes = {"source": {0: "batch", 1: "samples"}, "lengths": {0: "batch"}}
    names = {"input_names": list(axes), "output_names": ["features", "frames"], "dynamic_axes": axes}
    legacy = {"dynamo": False} if "dynamo" in torch.onnx.export.__code__.co_varnames else {}
    torch.onnx.export(graph, inputs, str(tmp_path / "a.onnx"), opset_version=17, **names, **legacy)
    other = torch.randn(3, 911), torch.tensor([911, 100, 500])
    found, frames = run(tmp_path / "a.onnx", source=other[0].numpy(), lengths=other[1].numpy())
    with torch.no_grad():
        wanted, counts = graph(*other)
    assert frames.tolist() == counts.tolist()
    for row, right, count in zip(found, wanted, frames):
        np.testing.assert_allclose(row[:count], right[:count].numpy(), atol=1e-4)


def test_the_documented_lines_run_without_this_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "align-and-export.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert not {"torch", "data2vec_plugin"} & set(re.findall(r"^(?:import|from) (\w+)", code, re.MULTILINE))
    first_method(tmp_path / "model.pt")
    assert export(tmp_path / "model.pt", tmp_path / "asr.onnx") == 0
    monkeypatch.chdir(tmp_path)
    (waveform,) = clips((6000,))
    scope: Dict[str, Any] = {"waveform": waveform}
    exec(compile(code, "align-and-export.md", "exec"), scope)
    recogniser = open_recogniser(tmp_path / "model.pt", "cpu")
    (decoded,) = GreedyCtcDecoder(recogniser.blank).decode(recogniser.emissions([waveform])[0])
    letters = "".join(recogniser.symbols[token] for token in decoded.tokens)
    assert scope["text"] == letters.replace("|", " ").strip() != ""
