"""The task: what it hands to a model, features that are made once, the accuracy that is smoothed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
import torch
from meme_files import model_section, task_on, write_encoders, write_memes

from data2vec_plugin.criterions.meme_metrics import smoothed
from data2vec_plugin.data.multimodal.meme_features import MemeFeatureDataset
from data2vec_plugin.data.multimodal.memes import MemeDataset

pytest.importorskip("torchvision")


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Tuple[Path, Path]:
    return write_encoders(tmp_path_factory.mktemp("encoders"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_memes(tmp_path / "data")


def batch_of(task: Any, split: str) -> Dict[str, Any]:
    dataset = task.dataset(split)
    return dataset.collater([dataset[index] for index in range(len(dataset))])


def test_features_that_are_kept_give_the_scores_of_the_pictures(encoders: Tuple[Path, Path], data: Path) -> None:
    scores: List[torch.Tensor] = []
    known: Dict[str, Any] = {}
    for cached in (True, False):
        task = task_on(data, cache_features=cached)
        torch.manual_seed(0)
        model = task.build_model(model_section(encoders)).train()
        for split in ("valid", "train"):
            task.load_dataset(split)
        assert isinstance(task.dataset("valid"), MemeFeatureDataset) is cached
        if not cached:
            assert model.wants_statistics
            model.standardizer.load_state_dict(known)
        known = model.standardizer.state_dict()
        scores.append(model.eval()(**batch_of(task, "valid")["net_input"]))
    assert torch.allclose(*scores, atol=1e-5)
    assert sorted(path.name.split("-")[0] for path in (data / "features").iterdir()) == ["train", "valid"]


def test_features_are_standardised_by_the_training_set_and_by_that_alone(
    encoders: Tuple[Path, Path], data: Path
) -> None:
    task = task_on(data)
    model = task.build_model(model_section(encoders))
    task.load_dataset("valid")
    assert model.wants_statistics
    task.load_dataset("train")
    parts = task.dataset("train").parts
    found = model.standardizer(torch.cat([parts[name] for name in model.encoders], dim=1))
    assert torch.allclose(found.mean(0), torch.zeros(found.size(1)), atol=1e-4)
    assert torch.allclose(found.std(0, correction=0), torch.ones(found.size(1)), atol=1e-3)
    before = model.standardizer.mean.clone()
    task.load_dataset("valid")
    assert torch.equal(before, model.standardizer.mean)
    plain = task_on(data).build_model(model_section(encoders, standardize=False))
    assert not plain.wants_statistics


def test_encoders_that_learn_see_the_pictures(encoders: Tuple[Path, Path], data: Path) -> None:
    task = task_on(data)
    task.build_model(model_section(encoders, freeze=False))
    task.load_dataset("train")
    assert type(task.dataset("train")) is MemeDataset
    assert set(batch_of(task, "train")["net_input"]) == {"img", "captions"}


def test_a_part_that_is_left_out_is_not_read(encoders: Tuple[Path, Path], data: Path) -> None:
    task = task_on(data, cache_features=False)
    task.build_model(model_section(encoders, modalities="text"))
    (data / "valid" / "3.png").write_bytes(b"no picture")
    task.load_dataset("valid")
    batch = batch_of(task, "valid")
    assert set(batch["net_input"]) == {"captions"}
    assert len(batch["id"]) == 6
    images = task_on(data, cache_features=False, bad_image_limit=1)
    images.build_model(model_section(encoders, modalities="image"))
    (data / "valid" / "2.png.ocr").write_bytes(b"\xff")  # nobody looks
    images.load_dataset("valid")
    assert len(batch_of(images, "valid")["id"]) == 5


def test_accuracy_is_smoothed_over_the_validations_of_a_split(encoders: Tuple[Path, Path], data: Path) -> None:
    task = task_on(data)
    model = task.build_model(model_section(encoders))
    for split in ("train", "valid"):
        task.load_dataset(split)
    curve = [0.5, 0.9, 0.6]
    for split in ("valid", "train"):
        for value in curve:
            task.get_batch_iterator(task.dataset(split), max_sentences=4)
            stats: Dict[str, Any] = {"accuracy": value, "loss": 1.0}
            task.post_validate(model, stats, None)
        assert stats["accuracy_smoothed"] == pytest.approx(smoothed(curve, 0.6)[-1], abs=1e-4)
        assert stats["accuracy_smoothed_best"] == pytest.approx(max(smoothed(curve, 0.6)), abs=1e-4)
        assert stats["smoothing"] == 0.6
    assert model.validations == {"valid": curve, "train": curve}
    nothing: Dict[str, Any] = {"loss": 1.0}
    task.post_validate(model, nothing, None)
    assert nothing == {"loss": 1.0}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"ocr": "eyes"}, r"`task\.ocr` is 'eyes'; expected one of sidecar, tesseract, none"),
        ({"fit": "stretch"}, r"`task\.fit` is 'stretch'"),
        ({"smoothing": 1.0}, r"`task\.smoothing` is 1"),
        ({"bad_image_limit": -1}, r"`task\.bad_image_limit` is -1"),
    ],
)
def test_keys_are_checked(data: Path, keys: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_on(data, **keys)


def test_an_engine_that_is_not_there_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(ValueError, match=r"`task\.ocr` is tesseract, which requires .*the program tesseract"):
        task_on(data, ocr="tesseract").load_dataset("valid")


def test_subwords_are_looked_for_beside_the_checkpoint(encoders: Tuple[Path, Path], data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind of subwords is unclear"):
        task_on(data, symbols=False).build_model(model_section(encoders))
    other = tmp_path / "dict.txt"
    other.write_text("a 1\nb 1\n")
    with pytest.raises(ValueError, match=r"dict\.txt has 7 symbols"):
        task_on(data, dictionary=str(other)).build_model(model_section(encoders))
