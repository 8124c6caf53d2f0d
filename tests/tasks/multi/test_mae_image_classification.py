"""Upstream's task of classes by its name and keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from fairseq.tasks import TASK_REGISTRY
from images import write_tree
from omegaconf import OmegaConf

from data2vec_plugin.tasks.multi.mae_image_classification import (
    MaeImageClassificationTask,
    MaeImageClassificationTaskConfig,
)

pytest.importorskip("torchvision")


def make_task(data: Path, **keys: object) -> MaeImageClassificationTask:
    root = OmegaConf.create({"common": {"seed": 1}, "dataset": {"train_subset": "train"}})
    root.task = OmegaConf.structured(MaeImageClassificationTaskConfig)
    root.task.update({"data": str(data), "input_size": 48, **keys})
    return MaeImageClassificationTask.setup_task(root.task)


def test_batches_have_upstreams_names(tmp_path: Path) -> None:
    for split in ("train", "val"):
        write_tree(tmp_path / split, {"a": 2, "b": 1})
    task = make_task(tmp_path)
    assert TASK_REGISTRY["mae_image_classification"] is MaeImageClassificationTask
    task.load_dataset("val")
    dataset = task.dataset("val")
    inputs = dataset.collater([dataset[index] for index in range(3)])["net_input"]
    assert set(inputs) == {"imgs", "labels"}
    assert inputs["imgs"].shape == (3, 3, 48, 48)
    assert inputs["labels"].tolist() == [0, 0, 1]


def test_a_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"`task\.local_cache_path` is /tmp; images are not copied here"):
        make_task(tmp_path, local_cache_path="/tmp")
