"""The image pre-training task: masks by the model's keys, resumable batches, and settings that cannot train."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import forks
import numpy as np
import pytest
import torch
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf

pytest.importorskip("torchvision")

from images import samples, write_shard, write_tree
from models.tiny_vision import section

from data2vec_plugin.data.image.datasets import ImageDataset, MaskedImageDataset, Order
from data2vec_plugin.data.image.transforms import Transform
from data2vec_plugin.data.image.tree import ImageTree
from data2vec_plugin.data.resumable import ManifestChangedError, ResumableIterator
from data2vec_plugin.tasks import images as image_tasks
from data2vec_plugin.tasks.image_config import ImageClassificationConfig, ImagePretrainingConfig
from data2vec_plugin.tasks.image_pretraining import ImagePretrainingTask, block_masks

KEYS: Dict[str, Any] = {
    "image_size": 32,
    "patch_size": 8,
    "num_mask_patches": 6,
    "min_mask_patches_per_block": 2,
    "max_mask_patches_per_block": 8,
}
COUNT = 26


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    write_tree(folder / "train", {"cat": 12, "dog": 14})
    write_tree(folder / "valid", {"cat": 3})
    return folder


def make_task(data: Path | str, **settings: Any) -> ImagePretrainingTask:
    # as fairseq does before a task is set up: common.* and dataset.* are there to be interpolated
    root = OmegaConf.create({"common": {"seed": 1}, "dataset": {"train_subset": "train"}})
    values = {"data": str(data), "input_size": 32, **settings}
    root.task = OmegaConf.merge(OmegaConf.structured(ImagePretrainingConfig), values)
    task: ImagePretrainingTask = ImagePretrainingTask.setup_task(root.task)
    return task


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """fairseq builds no model: the keys are what the task looks at."""
    monkeypatch.setattr("fairseq.tasks.FairseqTask.build_model", lambda self, cfg, *args: SimpleNamespace(cfg=cfg))


def loaded(data: Path, split: str = "train", keys: Dict[str, Any] | None = None, **settings: Any) -> Any:
    task = make_task(data, **settings)
    task.build_model(SimpleNamespace(**{**KEYS, **(keys or {})}))
    task.load_dataset(split)
    return task


def iterator(task: Any, split: str = "train", epoch: int = 1, **options: Any) -> ResumableIterator:
    limits = {"max_sentences": 4, "required_batch_size_multiple": 1, **options}
    made: ResumableIterator = task.get_batch_iterator(task.dataset(split), seed=1, epoch=epoch, **limits)
    return made


def contents(batches: Any) -> List[Any]:
    """What is comparable of batches."""
    return [
        (batch["id"].tolist(), batch["net_input"]["img"], *batch["net_input"]["mask"].values()) for batch in batches
    ]


def assert_alike(left: List[Any], right: List[Any]) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left, right):
        assert one[0] == other[0]
        assert all(torch.equal(a, b) for a, b in zip(one[1:], other[1:]))


def test_registered_with_upstreams_keys_and_defaults() -> None:
    assert TASK_REGISTRY["image_pretraining"] is ImagePretrainingTask
    cfg = ImagePretrainingConfig()
    assert cfg.input_size == 224
    assert tuple(cfg.normalization_mean) == (0.485, 0.456, 0.406)
    assert tuple(cfg.normalization_std) == (0.229, 0.224, 0.225)


@pytest.mark.parametrize("dataclass", [ImagePretrainingConfig, ImageClassificationConfig])
def test_no_two_configurations_share_a_default(dataclass: Any) -> None:  # B15
    for value in vars(dataclass()).values():
        assert not isinstance(value, (list, dict, set)), "changed in one task, it would change in the next"
    first = OmegaConf.structured(dataclass)
    first.normalization_mean[0] = 0.0
    assert OmegaConf.structured(dataclass).normalization_mean[0] == 0.485


@pytest.mark.usefixtures("no_model")
def test_masks_follow_the_models_keys(data: Path) -> None:
    task = loaded(data)
    dataset = task.dataset("train")
    assert isinstance(dataset, MaskedImageDataset)
    inputs = dataset.collater([dataset[index] for index in range(8)])["net_input"]
    assert inputs["mask"]["indices"].shape == (8, 16)
    counts = inputs["mask"]["indices"].sum(1)
    assert 1 <= int(counts.min()) <= int(counts.max()) <= 6
    assert len(inputs["mask"]["positions"]) == int(counts.sum())


def test_without_a_model_or_its_keys_there_are_no_masks(data: Path) -> None:
    task = make_task(data)
    task.load_dataset("train")
    dataset = task.dataset("train")
    assert set(dataset.collater([dataset[0]])["net_input"]) == {"img"}
    assert block_masks(224, SimpleNamespace(patch_size=16)) is None


@pytest.mark.usefixtures("no_model")
def test_workers_and_buffers_change_nothing(data: Path) -> None:
    alone = contents(iterator(loaded(data)).next_epoch_itr())
    assert_alike(alone, contents(iterator(loaded(data), num_workers=2, data_buffer_size=2).next_epoch_itr()))
    assert sorted(index for ids, *_ in alone for index in ids) == list(range(COUNT))


@pytest.mark.usefixtures("no_model")
def test_an_interrupted_epoch_goes_on_as_if_it_had_not_been(data: Path) -> None:
    unbroken = iterator(loaded(data), epoch=2)
    expected = contents(unbroken.next_epoch_itr())
    interrupted = iterator(loaded(data), epoch=2)
    batches = interrupted.next_epoch_itr()
    for _ in range(3):
        next(batches)
    state = interrupted.state_dict()
    resumed = iterator(loaded(data), epoch=2, num_workers=2)
    resumed.load_state_dict(state)
    assert resumed.iterations_in_epoch == 3
    assert_alike(contents(resumed.next_epoch_itr()), expected[3:])


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize("finished", [False, True])
def test_other_pictures_are_refused_on_resume(data: Path, tmp_path: Path, finished: bool) -> None:
    first = iterator(loaded(data))
    batches = first.next_epoch_itr()
    assert list(batches) if finished else next(batches)
    write_tree(tmp_path / "train", {"cat": 8})
    with pytest.raises(ManifestChangedError, match=r"train is not the data .*reset_dataloader=true"):
        iterator(loaded(tmp_path)).load_state_dict(first.state_dict())


@pytest.mark.usefixtures("no_model")
def test_processes_share_an_epoch_and_draw_what_one_would(data: Path) -> None:
    dataset = loaded(data).dataset("train")
    expected = {sample["id"]: sample["img"] for sample in (dataset[place] for place in range(COUNT))}
    seen: List[int] = []
    for shard in range(2):
        for batch in iterator(loaded(data), num_shards=2, shard_id=shard).next_epoch_itr():
            for row, index in enumerate(batch.get("id", torch.zeros(0)).tolist()):
                assert torch.equal(batch["net_input"]["img"][row], expected[index])
                seen.append(index)
    assert sorted(seen) == list(range(COUNT))


@pytest.mark.usefixtures("no_model")
def test_batches_mix_anew_in_every_epoch_of_training_only(data: Path) -> None:
    task = loaded(data)
    epochs = iterator(task)
    compositions = [{frozenset(ids) for ids, *_ in contents(epochs.next_epoch_itr())} for _ in range(2)]
    assert compositions[0] != compositions[1]
    task.load_dataset("valid")
    as_validation = {"shuffle": False, "set_dataset_epoch": False}
    first, again = (contents(iterator(task, "valid").next_epoch_itr(**as_validation)) for _ in range(2))
    assert_alike(first, again)


@pytest.mark.usefixtures("no_model")
def test_the_multiple_that_batches_must_have(data: Path) -> None:
    sizes = [len(ids) for ids, *_ in contents(iterator(loaded(data), required_batch_size_multiple=4).next_epoch_itr())]
    assert sorted(sizes) == [2, 4, 4, 4, 4, 4, 4]


@pytest.mark.usefixtures("no_model")
def test_archives_give_the_batches_of_the_folder_they_hold(tmp_path: Path) -> None:
    rows = samples(6)
    folder = tmp_path / "folders" / "train"
    folder.mkdir(parents=True)
    for number, row in enumerate(rows):
        (folder / f"{number:04d}.jpg").write_bytes(row["jpg"])
    write_shard(tmp_path / "archives" / "train-000000.tar", rows[:4])
    write_shard(tmp_path / "archives" / "train-000001.tar", rows[4:])
    left, right = (contents(iterator(loaded(tmp_path / name)).next_epoch_itr()) for name in ("folders", "archives"))
    assert_alike(left, right)


@pytest.mark.usefixtures("no_model")
def test_it_says_how_many_pictures_there_are(data: Path) -> None:
    task = loaded(data)
    assert str(task.extent(task.dataset("train"), np.arange(26))) == "26 pictures in 2 folders"
    assert "`dataset.batch_size`" in task.memory_knobs
    assert task.max_positions() is task.source_dictionary is task.target_dictionary is None


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("keys", "settings", "fault"),
    [
        (
            {"patch_size": 7, "image_size": 32},
            {},
            r"`task\.input_size` is 32, which is not a multiple of .* 7;.* 35",
        ),
        ({"image_size": 224}, {}, r"`task\.input_size` is 32, `model\.image_size` 224"),
        (
            {"num_mask_patches": 6, "min_mask_patches_per_block": 9},
            {},
            r"`model\.max_mask_patches_per_block` is 8, which is less than `model\.min_mask",
        ),
        ({}, {"input_size": 0}, r"`task\.input_size` is 0"),
        ({}, {"normalization_mean": [0.5]}, r"`task\.normalization_mean` is \[0\.5\]; expected three"),
        ({}, {"normalization_std": [0.2, 0.0, 0.2]}, r"`task\.normalization_std` .* above 0"),
        ({}, {"crop_scale": [1.0, 0.08]}, r"`task\.crop_scale` is \[1\.0, 0\.08\]; expected two shares"),
        ({}, {"color_jitter": -1.0}, r"`task\.color_jitter` is -1"),
        ({}, {"bad_image_limit": -1}, r"`task\.bad_image_limit` is -1"),
    ],
)
def test_settings_that_cannot_train_are_told(
    data: Path, keys: Dict[str, Any], settings: Dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        loaded(data, keys=keys, **settings)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"num_mask_patches": 16}, r"`model\.num_mask_patches` is 16 of 4 x 4 patches, 100 % .*expected 1 to 95 %"),
        ({"average_top_k_layers": 5}, "`average_top_k_layers` is 5, but the encoder has 3 layers"),
    ],
)
def test_models_that_cannot_pretrain_are_refused(data: Path, settings: Dict[str, Any], fault: str) -> None:
    task = make_task(data, input_size=16)
    with pytest.raises(ValueError, match=fault):
        task.build_model(OmegaConf.create(section(**settings)))
    task.build_model(OmegaConf.create(section(**settings)), from_checkpoint=True)
    task.build_model(OmegaConf.create(section()))


@pytest.mark.parametrize("name", ["torchvision", "PIL"])
def test_what_is_not_installed_is_told_with_its_command(data: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_tasks, "find_spec", lambda module: None if module == name else object())
    with pytest.raises(ImportError, match=r"not installed: pip install .*(torchvision[=>]=0\.|pillow)"):
        make_task(data).load_dataset("train")


def test_listing_asks_the_folders_once_and_not_the_files(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: List[str] = []
    stock = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: scanned.append(str(path)) or stock(path))
    monkeypatch.setattr(Path, "stat", lambda *args, **options: pytest.fail("a file was looked at"))
    assert len(ImageTree(data / "train", labelled=False)) == COUNT
    assert [Path(path).name for path in scanned] == ["train", "cat", "dog"]


def test_pictures_are_read_without_the_extras_of_speech_and_text(data: Path) -> None:  # B17
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['soundfile', 'sentencepiece', 'timm', 'editdistance']))\n"
        "import fairseq, data2vec_plugin\n"
        "from omegaconf import OmegaConf\n"
        "from data2vec_plugin.tasks.image_pretraining import ImagePretrainingConfig, ImagePretrainingTask\n"
        "root = OmegaConf.create({'common': {'seed': 1}, 'dataset': {'train_subset': 'train'}})\n"
        f"values = {{'data': {str(data)!r}, 'input_size': 32}}\n"
        "root.task = OmegaConf.merge(OmegaConf.structured(ImagePretrainingConfig), values)\n"
        "task = ImagePretrainingTask.setup_task(root.task)\n"
        "task.load_dataset('train')\n"
        "print(tuple(task.dataset('train')[0]['img'].shape))"
    )
    done = forks.python(["-W", "ignore", "-c", code], imported="torch", timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(3, 32, 32)"


def test_a_large_set_is_ordered_and_batched_quickly() -> None:
    """A million pictures; only their number matters."""
    source: Any = type("Source", (), {"__len__": lambda self: 1_000_000, "name": str})()
    data = ImageDataset(source, Transform([]), seed=1, order=Order(shuffled=True))
    started = time.perf_counter()
    batches = data.batch_by_size(data.ordered_indices(), max_sentences=64)
    assert time.perf_counter() - started < 3
    assert sum(map(len, batches)) == 1_000_000
    assert np.concatenate(batches[:3]).tolist() == data.ordered_indices()[:192].tolist()
