"""`data2vec multimodal predict`: one command from raw clips to what a trained model says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision")
from clip_files import (
    ROWS,
    features_of,
    multimodal,
    options,
    write_clips,
    write_run,
    write_stream_encoders,
    write_table,
)

from data2vec_plugin.checkpoints.trained_run import load_run
from data2vec_plugin.criterions.multimodal_metrics import emotion_scores

Encoders = Dict[str, Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips, encoders, their features, and a run on these."""
    folder = tmp_path_factory.mktemp("predict")
    write_clips(folder / "clips")
    encoders = write_stream_encoders(folder / "encoders")
    words = ("encode", folder / "clips" / "train.tsv", "--out", folder / "data", *options(encoders))
    assert multimodal(*words) == 0
    write_run(folder / "run" / "checkpoint_last.pt", folder / "data", normalize=True)
    return folder


@pytest.fixture
def encoders(folder: Path) -> Encoders:
    return {name: folder / "encoders" / name / "model.pt" for name in ("vision", "text", "audio")}


def test_raw_clips_become_predictions(
    folder: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("predict", folder / "run", folder / "clips" / "train.tsv", "--out", tmp_path / "out.json")
    assert multimodal(*words, *options(encoders)) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    rows = found["predictions"]
    assert [row["id"] for row in rows] == ["whole", "picture", "silent words", "listed"]
    assert (found["clips"], found["predicted"], found["dropped"]) == (5, 4, ["nothing"])
    assert found["without"] == {"vision": 1, "text": 1, "audio": 2}
    trained = load_run(folder / "run", "mtag", "", {})
    stats = np.load(folder / "data" / "stats.npz")
    logits = []
    for number in (0, 1, 2, 4):  # each alone, without the command's data set
        inputs = {
            name: torch.from_numpy((array - stats[f"{name}_mean"]) / stats[f"{name}_std"]).unsqueeze(0)
            for name, array in features_of(folder / "data", "train", number).items()
        }
        with torch.no_grad():
            logits.append(trained.model(inputs)[0].numpy())
    for row, expected in zip(rows, logits):
        assert row["sum"] == expected.argmax()
        shares = [row[f"sum_{number}"] for number in range(3)]
        assert shares == pytest.approx(torch.as_tensor(expected).softmax(-1).tolist(), abs=1e-4)
    labels = [[row["sum_label"]] for row in rows]
    assert labels == [[1], [0], [2], [0]]
    assert found["metrics"] == pytest.approx(emotion_scores(logits, labels, ["sum"]))
    assert f"4 predictions; accuracy_sum {found['metrics']['accuracy_sum']:.4f}" in capsys.readouterr().out


def test_a_number_is_predicted_without_labels_and_features_are_kept(
    folder: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "number.pt", tmp_path / "gone", "vision,text,audio", target="regression")
    columns = ("id", "vision", "text", "audio")
    table = write_table(folder / "clips" / "test.tsv", [row[:4] for row in ROWS[:3]], columns)
    words = ("predict", run, table, "--out", tmp_path / "out.tsv", "--features", tmp_path / "kept", *options(encoders))
    assert multimodal(*words) == 0
    header, *lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert header == "id\tprediction"
    assert len(lines) == 3
    assert all(np.isfinite(float(line.split("\t")[1])) for line in lines)
    said = capsys.readouterr().out
    assert "the settings of the features cannot be compared" in said
    assert "3 predictions; no labels to compare them with" in said
    assert multimodal(*words) == 0
    assert "(4 already there, 0 skipped)" in capsys.readouterr().out


def test_a_run_on_one_stream_passes_over_the_others(
    folder: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "text.pt", folder / "data", "text")
    words = ("predict", run, folder / "clips" / "train.tsv", "--out", tmp_path / "out.json")
    assert multimodal(*words, *options(encoders)) == 0
    assert "`audio` is ignored" in capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["dropped"] == ["picture", "nothing"]
    assert found["predicted"] == 3


def test_what_does_not_fit_a_run_is_told(
    folder: Path, encoders: Encoders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = folder / "clips" / "train.tsv", tmp_path / "out.json"
    narrow = write_run(tmp_path / "narrow.pt", folder / "data", dim=12)
    sound = write_run(tmp_path / "audio.pt", folder / "data", "audio")
    text = write_table(folder / "clips" / "words.tsv", [("a", "w1", "7")], ("id", "text", "label"))
    only = {"text": encoders["text"]}
    for words, message in (
        ((narrow, table, *options(encoders)), "has 16 channels, but the run expects 12"),
        ((folder / "run", table, *options(only)), "uses vision and audio, which"),
        ((sound, text, *options(only)), "columns are text, but"),
        ((folder / "run", table, *options(encoders), "--layer=1"), "`vision.layer` was 'last', is '1'"),
        ((folder / "run", text, *options(only)), "words.tsv, line 2: label '7' is out of range; expected one, each 0"),
        ((encoders["text"], text, *options(only)), "of model `data2vec_text`; expected `mtag`"),
        ((folder, text, *options(only)), "holds neither checkpoint_best.pt nor"),
    ):
        assert multimodal("predict", *words, "--out", out) == 1
        assert message in capsys.readouterr().err
    assert multimodal("predict", folder / "run", table, "--out", tmp_path / "out.txt") == 1
    assert "out.txt; expected the extension .tsv or .json" in capsys.readouterr().err
    assert not out.exists()
