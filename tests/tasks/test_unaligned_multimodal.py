"""The task's keys, and what model and criterion learn from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from multimodal_files import DIMS, write_pickle
from omegaconf import OmegaConf

from data2vec_plugin.data.multimodal.from_pickle import convert_pickle
from data2vec_plugin.files.unusable import UnusableFileError
from data2vec_plugin.models.mtag import MTAGModelConfig, chosen_modalities
from data2vec_plugin.tasks.unaligned_multimodal import UnalignedMultimodalConfig, UnalignedMultimodalTask


def task(folder: Path, **settings: Any) -> UnalignedMultimodalTask:
    keys = {"train_split": "train", "seed": 1, **settings}
    return UnalignedMultimodalTask(UnalignedMultimodalConfig(data=str(folder), **keys))


def section(**keys: Any) -> Any:
    """A model's section of a configuration."""
    return OmegaConf.structured(MTAGModelConfig(_name="mtag", **keys))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("multimodal")
    convert_pickle(write_pickle(folder / "data.pkl", emotions=True), folder)
    return folder


def test_channels_and_outputs_come_from_data_and_target(folder: Path) -> None:
    made = task(folder, target="emotions")
    model = made.build_model(section(dim=8, heads=2))
    assert dict(model.graph.config.dims) == DIMS
    assert model.graph.config.outputs == 8
    assert (model.cfg.vision_dim, model.cfg.outputs) == (4, 8)  # so that a checkpoint needs no data
    with pytest.raises(ValueError, match=r"`model\.outputs` is 3, but `task\.target` emotions has 8"):
        made.build_model(section(outputs=3))


def test_modalities_that_the_model_does_not_see_are_not_read(folder: Path) -> None:
    made = task(folder, target="emotions")
    made.build_model(section(modalities="text,audio"))
    made.load_dataset("train")
    dataset = made.dataset("train")
    assert set(dataset.collater([dataset[0], dataset[1]])["net_input"]["modalities"]) == {"text", "audio"}
    assert chosen_modalities(MTAGModelConfig(modalities="audio, text")) == ["text", "audio"]
    for bad in ("", "smell", "text,text"):
        with pytest.raises(ValueError, match=r"`model\.modalities` is"):
            chosen_modalities(MTAGModelConfig(modalities=bad))


def test_shares_of_positives_are_counted_in_training_data(folder: Path) -> None:
    made = task(folder, target="emotions")
    assert made.positive_shares() is None
    made.load_dataset("train")
    labels = [list(map(int, line.split())) for line in (folder / "train.label").read_text().splitlines()]
    assert made.positive_shares() == pytest.approx([sum(column) / len(labels) for column in zip(*labels)])
    assert task(folder, target="emotions", positive_shares=[0.1] * 4).positive_shares() == [0.1] * 4


def test_data_without_a_modality_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "0.npz", vision=np.ones((2, 4)))
    (tmp_path / "train.tsv").write_text(".\nclip\t0.npz\t2\t0\t0\n")
    (tmp_path / "train.label").write_text("1\n")
    with pytest.raises(UnusableFileError, match=r"no sample has text; remove it from `model\.modalities`"):
        task(tmp_path).build_model(section())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "rank"}, r"`task\.target` is 'rank'"),
        ({"target": "emotions", "emotions": ","}, r"`task\.emotions` is ','"),
        ({"target": "emotions", "classes": 1}, r"with 1 classes"),
        ({"label_min": 3.0}, r"`task\.label_min` is 3"),
        ({"positive_shares": [0.5]}, r"`task\.positive_shares` is \[0\.5\]"),
        ({"max_edges": -1}, r"`task\.max_edges` is -1"),
    ],
)
def test_keys_are_checked(folder: Path, settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task(folder, **settings)
