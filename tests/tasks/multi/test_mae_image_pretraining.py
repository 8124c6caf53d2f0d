"""`mae_image_pretraining` by upstream's keys: what pictures become, where they are, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

import pytest
import torch
from fairseq.tasks import TASK_REGISTRY
from omegaconf import OmegaConf
from tasks.test_masks_of_runs import task_of

pytest.importorskip("torchvision")

from images import photograph, write_tree
from models.tiny_multi import PIXELS, tiny_multi

from data2vec_plugin.data.image.transforms import Normalization, ToTensor
from data2vec_plugin.tasks.multi.mae_image_pretraining import MaeImagePretrainingTask
from data2vec_plugin.tasks.multi.pretraining_config import MaeImagePretrainingConfig

UPSTREAM: Dict[str, Any] = {
    **{"data": "???", "multi_data": None, "input_size": 224, "local_cache_path": None, "key": "imgs"},
    **{"beit_transforms": False, "target_transform": False, "no_transform": False, "rebuild_batches": True},
    **{"precompute_mask_config": None, "subsample": 1, "dataset_type": "imagefolder"},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("here", "there"):
        write_tree(folder / name / "train", {"cat": 2, "dog": 1})
    return folder


def dataset(data: Path, **values: Any) -> Any:
    given = {"data": str(data / "here"), "input_size": PIXELS, "key": "source", **values}
    task = task_of(MaeImagePretrainingTask, MaeImagePretrainingConfig, given)
    task.load_dataset("train")
    return task.dataset("train")


def pictures(of: Any, epoch: int = 1) -> Any:
    of.set_epoch(epoch)
    return of.collater([of[index] for index in range(len(of))])["net_input"]


def test_keys_and_defaults_are_upstreams() -> None:
    assert TASK_REGISTRY["mae_image_pretraining"] is MaeImagePretrainingTask
    cfg = OmegaConf.structured(MaeImagePretrainingConfig)
    assert {name: OmegaConf.to_container(cfg)[name] for name in UPSTREAM} == UPSTREAM


def test_pictures_are_parts_that_follow_epoch_and_id(data: Path) -> None:
    first = pictures(dataset(data))["source"]
    assert first.shape == (3, 3, PIXELS, PIXELS)
    assert torch.equal(first, pictures(dataset(data))["source"])
    assert not torch.equal(first, pictures(dataset(data), epoch=2)["source"])
    assert not torch.equal(first, pictures(dataset(data, beit_transforms=True))["source"])


def test_without_transform_they_are_squeezed_alike_in_every_epoch(data: Path) -> None:
    squeezed = dataset(data, no_transform=True)
    squeezed.order = type(squeezed.order)()  # every picture in its place
    first = pictures(squeezed)["source"]
    assert torch.equal(first, pictures(squeezed, epoch=2)["source"])
    whole = ToTensor(Normalization())(photograph(0).resize((PIXELS, PIXELS)), None)  # type: ignore[arg-type]
    near, far = ((first[row] - whole).abs().mean() for row in (0, 1))
    assert near < 0.1 < far


def test_the_teacher_may_see_the_same_part_in_other_colours(data: Path) -> None:
    net_input = pictures(dataset(data, target_transform=True))
    source, target = net_input["source"], net_input["target"]
    assert source.shape == target.shape
    assert not torch.equal(source, target)
    edges = [(image[..., 1:] - image[..., :-1]).flatten(1) for image in (source, target)]
    same = torch.nn.functional.cosine_similarity(*edges)
    other = torch.nn.functional.cosine_similarity(edges[0], edges[1].roll(1, 0))
    assert float(same.min()) > 0.8 > float(other.max())
    model = tiny_multi("image", of={"image": {"ema_local_encoder": True}})
    with torch.no_grad():
        torch.manual_seed(1)
        one = model.eval()(**net_input)["targets"]
        torch.manual_seed(1)
        other_targets = model(source=source)["targets"]
    assert one.shape == other_targets.shape
    assert not torch.equal(one, other_targets)


def test_several_folders_are_one_set(data: Path) -> None:
    folders = [str(data / "here"), str(data / "there")]
    both = dataset(data, multi_data=folders)
    assert len(both) == 6
    assert {both.source.name(index).rpartition("/train/")[0] for index in range(6)} == set(folders)
    assert both.source.read(4) == dataset(data, multi_data=folders[1:]).source.read(1)
    assert both.source.extent() == (4, "folders")
    assert both.source.digest not in (dataset(data).source.digest, dataset(data, multi_data=folders[:1]).source.digest)
    assert len(dataset(data, multi_data=[str(data)], dataset_type="path")) == 6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"subsample": 0.5}, r"`task\.subsample` is 0\.5; this task supports 1 only"),
        ({"dataset_type": "lmdb"}, r"`task\.dataset_type` is 'lmdb'; expected imagefolder or path"),
        ({"input_size": 0}, r"`task\.input_size` is 0"),
    ],
)
def test_what_it_cannot_do_is_refused(data: Path, values: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataset(data, **values)
