"""The image classification task: classes that fit together, augmented training, accuracy."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
import torch
from fairseq.criterions import FairseqCriterion
from fairseq.logging import metrics
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf

pytest.importorskip("torchvision")

from images import photograph, samples, write_shard, write_tree

from data2vec_plugin.tasks.image_classification import ImageClassificationTask
from data2vec_plugin.tasks.image_config import ImageClassificationConfig


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_tree(tmp_path / "train", {"cat": 4, "dog": 3})
    write_tree(tmp_path / "val", {"cat": 1, "dog": 2})
    return tmp_path


def make_task(data: Path, train_subset: str = "train", **settings: Any) -> ImageClassificationTask:
    root = OmegaConf.create({"common": {"seed": 1}, "dataset": {"train_subset": train_subset}})
    values = {"data": str(data), "input_size": 48, **settings}
    root.task = OmegaConf.merge(OmegaConf.structured(ImageClassificationConfig), values)
    task: ImageClassificationTask = ImageClassificationTask.setup_task(root.task)
    return task


def load(task: ImageClassificationTask, *splits: str) -> ImageClassificationTask:
    for split in splits:
        task.load_dataset(split)
    return task


def batch(task: ImageClassificationTask, split: str) -> Dict[str, Any]:
    dataset = task.dataset(split)
    made: Dict[str, Any] = dataset.collater([dataset[index] for index in range(len(dataset))])
    return made


def test_registered_under_upstreams_name() -> None:
    assert TASK_REGISTRY["image_classification"] is ImageClassificationTask
    assert ImageClassificationConfig().bad_image_limit == 0


def test_a_task_may_be_told_that_it_evaluates_a_checkpoint(data: Path) -> None:  # by fairseq's main branch
    assert ImageClassificationTask.setup_task(make_task(data).cfg, from_checkpoint=True).cfg.data == str(data)


def test_batches_hold_pictures_and_labels(data: Path) -> None:
    task = load(make_task(data), "val", "train")
    made = batch(task, "val")
    assert made["net_input"]["img"].shape == (3, 3, 48, 48)
    assert made["net_input"]["label"].tolist() == [0, 1, 1]
    assert (made["nsentences"], made["ntokens"]) == (3, 3)


def test_only_the_training_split_is_augmented(data: Path) -> None:
    task = load(make_task(data), "val", "train")
    for split, changes in (("val", False), ("train", True)):
        first = batch(task, split)["net_input"]["img"]
        task.dataset(split).set_epoch(2)
        assert torch.equal(first, batch(task, split)["net_input"]["img"]) is not changes


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_pictures_are_mirrored_as_often_as_asked_for(data: Path, share: float) -> None:
    task = make_task(data, flip_prob=share, auto_augment=None, erase_prob=0)
    picture = np.asarray(task.transform("val")(photograph(0, 48, 48), np.random.default_rng(0)))
    task.cfg.crop_scale = (1.0, 1.0)
    drawn = np.asarray(task.transform("train")(photograph(0, 48, 48), np.random.default_rng(0)))
    alike, mirrored = (np.abs(drawn - each).mean() for each in (picture, picture[:, :, ::-1]))
    assert (mirrored < alike) == (share == 1.0)


def test_the_training_split_may_have_another_name(data: Path) -> None:
    (data / "train").rename(data / "train_few")
    task = load(make_task(data, "train_few"), "val", "train_few")
    assert [task.dataset(split).order.shuffled for split in ("train_few", "val")] == [True, False]


def test_repeated_augmentation_is_for_training_only(data: Path) -> None:
    task = load(make_task(data, repeated_augmentation=2), "val", "train")
    assert batch(task, "val")["id"].tolist() == [0, 1, 2]
    pictures = [index % 7 for index in batch(task, "train")["id"].tolist()]
    assert len(pictures) == 7
    assert pictures[0] == pictures[1] != pictures[2]


def test_splits_of_other_classes_are_told(data: Path) -> None:
    write_tree(data / "val", {"eel": 1})
    with pytest.raises(ValueError, match=r"train and .*val have different classes: the former lacks 1 \(eel\)"):
        load(make_task(data), "val", "train")


def test_numbers_and_names_do_not_fit_together(data: Path, tmp_path: Path) -> None:
    write_shard(data / "test-000.tar", samples(3))
    with pytest.raises(ValueError, match=r"numbers its classes but .*train names them"):
        load(make_task(data), "train", "test")


def test_numbered_archives_need_not_hold_every_class(tmp_path: Path) -> None:
    write_shard(tmp_path / "train-000.tar", samples(5))
    write_shard(tmp_path / "valid-000.tar", samples(2))
    task = load(make_task(tmp_path), "valid", "train")
    assert sorted(batch(task, "train")["net_input"]["label"].tolist()) == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("splits", [("valid", "train"), ("train", "valid")])
def test_numbered_classes_that_are_never_trained_are_told(tmp_path: Path, splits: Tuple[str, str]) -> None:
    write_shard(tmp_path / "train-000.tar", samples(2))
    write_shard(tmp_path / "valid-000.tar", [*samples(3), *samples(2, label="1{}")])
    fault = r"valid has 3 classes that split train lacks \(labels 2, 10, 11\), .*; number the classes of both splits"
    with pytest.raises(ValueError, match=fault):
        load(make_task(tmp_path), *splits)


def test_more_classes_than_the_model_has_are_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairseq.tasks.FairseqTask.build_model", lambda self, cfg, *args: SimpleNamespace(cfg=cfg))
    task = make_task(data)
    task.build_model(SimpleNamespace(num_classes=1))
    with pytest.raises(ValueError, match=r"split train has 2 classes .*`model\.num_classes` is 1; expected at least 2"):
        task.load_dataset("train")


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"auto_augment": "__import__('os').getcwd()"}, r"`task\.auto_augment` is .*such as rand-m9"),  # B23
        ({"erase_prob": 1.5}, r"`task\.erase_prob` is 1\.5"),
        ({"flip_prob": -0.5}, r"`task\.flip_prob` is -0\.5"),
        ({"repeated_augmentation": 0}, r"`task\.repeated_augmentation` is 0"),
    ],
)
def test_settings_that_cannot_train_are_told(data: Path, settings: Dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        load(make_task(data, **settings), "train")


def test_a_missing_split_names_those_that_are_there(data: Path) -> None:
    with pytest.raises(ValueError, match=r"neither a folder valid .* it has train, val\."):
        load(make_task(data), "valid")


class Criterion(FairseqCriterion):
    """Logs nothing of its own."""

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Nothing."""


@pytest.mark.parametrize(("outputs", "expected"), [([(3, 4), (1, 4)], 50.0), ([(0, 0)], 0.0)])
def test_accuracy_counts_pictures_not_batches(data: Path, outputs: Any, expected: float) -> None:
    logs = [{"correct": correct, "sample_size": size, "nsentences": size, "ntokens": size} for correct, size in outputs]
    task = make_task(data)
    with metrics.aggregate() as aggregated:
        task.reduce_metrics([*logs, {"sample_size": 9, "nsentences": 9, "ntokens": 9}], Criterion(task))
    assert aggregated.get_smoothed_values()["accuracy"] == expected


def test_accuracy_of_several_updates_is_of_all_their_pictures(data: Path) -> None:
    task = make_task(data)
    with metrics.aggregate() as aggregated:
        for correct, size in ((8, 8), (0, 24)):
            log = {"correct": correct, "sample_size": size, "nsentences": size, "ntokens": size}
            task.reduce_metrics([log], Criterion(task))
    assert aggregated.get_smoothed_values()["accuracy"] == 25.0
