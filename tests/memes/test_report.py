"""The report on a run: its numbers, each part alone beside them, what is most wrong, the picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
import torch
from images import photograph
from meme_files import model_section, task_on, write_encoders
from models.tiny_text import trainer_state
from omegaconf import OmegaConf

from data2vec_plugin.checkpoints.trained_run import checkpoint_of
from data2vec_plugin.cli.main import main
from data2vec_plugin.memes.baselines import Fit, fitted_scores, subsets
from data2vec_plugin.memes.trained import Split, encode_split, load_trained, scores_on

pytest.importorskip("torchvision")


def write_exclusive(folder: Path) -> Path:
    """Memes of two kinds of photographs and two of captions, whose label tells whether these are unlike."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 24), ("valid", 12)):
        (folder / split).mkdir(parents=True)
        lines = ["."]
        for number in range(count):
            photo, words = number % 2, number // 2 % 2
            photograph(2 * int(rng.integers(10**6)) + photo).save(folder / split / f"{number}.png")
            caption = f"w{rng.integers(2, 6)} w{(1, 9)[words]} w{(1, 9)[words]}"
            lines.append(f"{split}/{number}.png\t{int(photo != words)}\t{caption}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, with its data beside it."""
    folder = tmp_path_factory.mktemp("run")
    data, encoders = write_exclusive(folder / "data"), write_encoders(folder / "encoders")
    task = task_on(data)
    torch.manual_seed(0)
    model = task.build_model(model_section(encoders, hidden=16))
    for split in ("valid", "train"):
        task.load_dataset(split)
    model.validations["valid"] = [0.4, 0.8, 0.6]
    section: Any = OmegaConf.to_container(model.cfg)
    settings = {"_name": "meme_classification", "data": str(data), "input_size": 16, "symbols": True, "cpu": True}
    settings["bad_image_limit"] = 0
    cfg: Dict[str, Any] = {"model": section, "task": {**settings, "train_split": "train", "seed": 1}}
    state = trainer_state(cfg, model.state_dict())
    state["cfg"]["criterion"] = {"_name": "meme_score", "loss": "mse"}
    torch.save(state, folder / "checkpoint_last.pt")
    return folder


def test_report_has_all_that_was_asked_for(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    command = ["memes", "report", str(run), "--data", str(run / "data"), "--out", str(tmp_path), "--epochs", "2"]
    assert main(command) == 0
    found = json.loads((tmp_path / "report.json").read_text("utf-8"))
    trained = load_trained(run, run / "data")
    split = encode_split(trained, "valid", torch.device("cpu"))
    scores = scores_on(trained, split)
    right = (scores > 0.5) == (split.labels > 0.5)
    assert found["accuracy"] == pytest.approx(right.mean())
    assert sum(map(sum, found["confusion"])) == found["memes"] == 12
    assert found["confusion"][0][0] + found["confusion"][1][1] == right.sum()
    assert set(found["fitted_alike"]) == {"both", "image", "text"}
    assert found["fit"]["epochs"] == 2
    assert found["smoothing"] == 0.6
    assert found["accuracy_best_validation"] == 0.8
    assert found["accuracy_smoothed_best"] == pytest.approx(0.65)
    assert found["recall"][-1] == 1
    assert len(found["most_wrong"]) == (~right).sum()
    worst = found["most_wrong"][0]
    assert Path(worst["picture"]).is_file()
    assert abs(worst["score"] - worst["label"]) == pytest.approx(np.abs(scores - split.labels)[~right].max(), abs=1e-6)
    assert (tmp_path / "report.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "image, same training" in said
    assert "without human review" in said


def exclusive_features(count: int, seed: int) -> Split:
    """Vectors that tell kinds of pictures and of captions, and a label that needs both."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 2, (2, count))
    vectors = [torch.from_numpy(rng.normal(kind[:, None], 0.2, (count, 4))).float() for kind in kinds]
    labels = (kinds[0] != kinds[1]).astype(np.float32)
    return Split("x", dict(zip(("image", "text"), vectors)), labels, [""] * count, [""] * count, 0)


@pytest.mark.parametrize("loss", ["mse", "bce"])
def test_both_parts_tell_what_neither_does(loss: str) -> None:
    train, test, fit = exclusive_features(200, 0), exclusive_features(200, 1), Fit(32, 0.1, loss, epochs=40, lr=3e-3)
    found = {name: fitted_scores(train, test, parts, fit) for name, parts in subsets(["image", "text"]).items()}
    accuracies = {name: float(((scores > 0.5) == (test.labels > 0.5)).mean()) for name, scores in found.items()}
    assert list(accuracies) == ["both", "image", "text"]
    assert accuracies["both"] > 0.95
    assert max(accuracies["image"], accuracies["text"]) < 0.62
    assert np.array_equal(found["text"], fitted_scores(train, test, ["text"], fit))  # a seed of its own


def test_a_split_with_a_bad_picture_tells_how_many(run: Path, tmp_path: Path) -> None:
    data = write_exclusive(tmp_path / "data")
    (data / "valid" / "3.png").write_bytes(b"no picture")
    trained = load_trained(run, data, bad_image_limit=1)
    split: Split = encode_split(trained, "valid", torch.device("cpu"))
    assert (len(split), split.left_out) == (11, 1)
    assert not any(name.endswith("/3.png") for name in split.pictures)


def test_what_is_no_run_is_told(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match=r"holds neither checkpoint_best\.pt nor"):
        checkpoint_of(tmp_path)
    with pytest.raises(ValueError, match=r"of model `data2vec_text`; expected `meme_classifier`"):
        load_trained(run / "encoders" / "text" / "text.pt", run / "data")
    for options, told in ((["--epochs", "0"], "`--epochs` is 0"), (["--smoothing", "1"], "`smoothing` is 1")):
        assert main(["memes", "report", str(run), "--data", str(run / "data"), *options]) == 1
        assert told in capsys.readouterr().err
