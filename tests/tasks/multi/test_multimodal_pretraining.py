"""Several modalities: an update is of one of them, by ratios; resumed, split over processes, with workers alike."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from fairseq.tasks import TASK_REGISTRY
from models.tiny_multi import config
from omegaconf import OmegaConf
from speech import write_clip, write_manifest
from text import lines, write_text, write_words_dictionary

pytest.importorskip("torchvision")

from images import write_tree

from data2vec_plugin.criterions.data2vec import Data2VecCriterion, Data2VecCriterionConfig
from data2vec_plugin.data.resumable import ManifestChangedError
from data2vec_plugin.tasks.multi.multimodal_pretraining import MultimodalPretrainingTask
from data2vec_plugin.tasks.multi.pretraining_config import MultimodalPretrainingConfig

SIZES = {f"{number}.wav": 900 for number in range(4)}
COUNTS = {"AUDIO": 4, "IMAGE": 6, "TEXT": 10}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    for seed, (name, size) in enumerate(SIZES.items()):
        write_clip(folder / "audio" / name, size, seed=seed)
    for split in ("train", "valid"):
        write_manifest(folder / "audio" / f"{split}.tsv", folder / "audio", SIZES)
        write_tree(folder / "image" / split, {"cat": COUNTS["IMAGE"]})
        write_text(folder / "text" / f"{split}.txt", lines(COUNTS["TEXT"]))
    write_words_dictionary(folder / "text", lines())
    return folder


def made(data: Path, of: tuple = ("audio", "image", "text"), update_freq: int = 1, **values: Any) -> Any:
    """A task that has built its model and read its data."""
    root = OmegaConf.create({"common": {"tpu": False, "seed": 1}, "optimization": {"update_freq": [update_freq]}})
    root.dataset = {"train_subset": "train", "max_tokens": None, "batch_size": 2}
    given = {
        "audio": {"data": str(data / "audio"), "normalize": True},
        "image": {"data": str(data / "image"), "input_size": 16, "key": "source"},
        "text": {"data": str(data / "text"), "tokens_per_sample": 24, "sample_break_mode": "eos", "encode_workers": 0},
    }
    root.task = OmegaConf.merge(
        OmegaConf.structured(MultimodalPretrainingConfig), {**{name: given[name] for name in of}, **values}
    )
    task = MultimodalPretrainingTask.setup_task(root.task)
    task.model = task.build_model(config(*of))
    task.load_dataset("train")
    return task


def iterator(task: Any, epoch: int = 1, split: str = "train", **options: Any) -> Any:
    """Of that epoch, and not the one that goes on from the last."""
    task.dataset_to_epoch_iter.clear()
    return task.get_batch_iterator(
        task.dataset(split), max_sentences=2, required_batch_size_multiple=1, seed=1, epoch=epoch, **options
    )


def kinds(batches: List[Dict[str, Any]]) -> List[str]:
    return [batch["net_input"]["mode"] for batch in batches]


def content(batches: Any) -> List[Any]:
    return [
        (batch["net_input"]["mode"], batch["id"], batch["net_input"]["source"], *batch["net_input"]["mask"].values())
        for batch in batches
    ]


def assert_alike(left: List[Any], right: List[Any]) -> None:
    assert len(left) == len(right) > 0
    for one, other in zip(left, right):
        assert one[0] == other[0]
        assert all(torch.equal(a, b) for a, b in zip(one[1:], other[1:]))


@pytest.fixture(scope="module")
def task(data: Path) -> Any:
    return made(data)


def test_one_model_is_built_for_what_there_is(task: Any, data: Path) -> None:
    assert TASK_REGISTRY["multimodal_pretraining"] is MultimodalPretrainingTask
    assert list(task.model.method.methods) == task.supported_modalities == ["AUDIO", "IMAGE", "TEXT"]
    two = made(data, of=("audio", "text"))
    assert list(two.model.method.methods) == ["AUDIO", "TEXT"]


def test_each_batch_is_of_one_modality_and_nothing_is_left_out(task: Any) -> None:
    batches = list(iterator(task).next_epoch_itr())
    seen = Counter(
        (mode, index) for mode, ids in ((b["net_input"]["mode"], b["id"]) for b in batches) for index in ids.tolist()
    )
    assert seen == Counter({(mode, index): 1 for mode, count in COUNTS.items() for index in range(count)})
    assert kinds(batches) != sorted(kinds(batches))
    assert set(kinds(batches)) == set(COUNTS)


def test_workers_change_nothing(task: Any) -> None:
    alone = content(iterator(task, epoch=4).next_epoch_itr())
    assert_alike(content(iterator(task, epoch=4, num_workers=2).next_epoch_itr()), alone)


def test_ratios_say_how_often_each_has_its_turn(data: Path) -> None:
    task = made(data, audio_ratio=3, text_ratio=0.4)
    for epoch in (1, 2):
        assert Counter(kinds(list(iterator(task, epoch).next_epoch_itr()))) == {"AUDIO": 6, "IMAGE": 3, "TEXT": 2}
    batches = [batch for batch in iterator(task, 3).next_epoch_itr() if batch["net_input"]["mode"] == "AUDIO"]
    rounds = [batch["net_input"]["mask"]["indices"] for batch in batches if 0 in batch["id"].tolist()]
    assert len(rounds) == 3
    assert not torch.equal(rounds[0], rounds[1])  # each round is drawn anew


def test_an_update_is_of_one_modality_on_all_processes(data: Path) -> None:
    task = made(data, update_freq=2)
    ranks = []
    for shard in (0, 1):
        ranks.append(list(iterator(task, num_shards=2, shard_id=shard).next_epoch_itr()))
    first, second = map(kinds, ranks)
    assert first == second
    assert list(first[::2]) == first[1::2]
    seen = {(batch["net_input"]["mode"], index) for rank in ranks for batch in rank for index in batch["id"].tolist()}
    assert seen == {(mode, index) for mode, count in COUNTS.items() for index in range(count)}
    alone = made(data, update_freq=4)
    one = content(iterator(alone).next_epoch_itr())
    both = [batch for pair in zip(*map(content, ranks)) for batch in pair]
    assert_alike(both, one)


def test_an_interrupted_epoch_goes_on_as_if_it_had_not_been(data: Path) -> None:
    expected = content(iterator(made(data), epoch=2).next_epoch_itr())
    begun = iterator(made(data), epoch=2)
    batches = begun.next_epoch_itr()
    for _ in range(3):
        next(batches)
    resumed = iterator(made(data), epoch=2)
    saved = begun.state_dict()
    resumed.load_state_dict(saved)
    assert_alike(content(resumed.next_epoch_itr()), expected[3:])
    with pytest.raises(ValueError, match=r"with 1 batches per update, but this run has 4"):
        iterator(made(data, update_freq=4), epoch=2).load_state_dict(saved)
    with pytest.raises(ManifestChangedError, match=r"audio.*, .*image.*, .*text is not the data"):
        iterator(made(data), epoch=2).load_state_dict({**saved, "data2vec_manifest": "other"})


def test_validation_sees_each_sample_once_whatever_the_ratios(data: Path) -> None:
    task = made(data, audio_ratio=3, update_freq=4)
    task.load_dataset("valid")
    batches = list(iterator(task, split="valid").next_epoch_itr(shuffle=False))
    assert Counter(kinds(batches)) == {"AUDIO": 2, "IMAGE": 3, "TEXT": 5}


def test_variances_and_losses_are_logged_by_modality(task: Any) -> None:
    from fairseq import metrics

    criterion = Data2VecCriterion(Data2VecCriterionConfig(min_target_var=0.1, min_pred_var=0.01), task)
    batches = {batch["net_input"]["mode"]: batch for batch in iterator(task).next_epoch_itr()}
    logs = {mode: criterion(task.model, batch)[2] for mode, batch in batches.items()}
    assert len({tuple(log) for log in logs.values()}) == 1  # processes add up their logs key by key
    with metrics.aggregate(new_root=True) as aggregate:
        Data2VecCriterion.reduce_metrics(list(logs.values()))
    values = aggregate.get_smoothed_values()
    for mode in COUNTS:
        assert values[f"target_var_{mode}"] > 0
        assert values[f"pred_var_{mode}"] > 0
        assert values[f"loss_{mode}_regression"] > 0
    assert "target_var" not in values
    with metrics.aggregate(new_root=True) as aggregate:
        Data2VecCriterion.reduce_metrics([logs["TEXT"]])
    alone = aggregate.get_smoothed_values()
    assert "target_var_TEXT" in alone
    assert not {"target_var_AUDIO", "loss_AUDIO_regression"} & set(alone)


def test_a_collapse_names_the_modality_and_its_key(task: Any) -> None:
    from data2vec_plugin.criterions.collapse import CollapseError

    cfg = Data2VecCriterionConfig(min_target_var=0.0, min_pred_var=1e9, collapse_start=-1, collapse_patience=2)
    criterion = Data2VecCriterion(cfg, task)
    batches = {batch["net_input"]["mode"]: batch for batch in iterator(task).next_epoch_itr()}
    log = criterion(task.model.train(), batches["TEXT"])[2]
    criterion.observe([log])
    criterion.observe([criterion(task.model, batches["AUDIO"])[2]])
    with pytest.raises(CollapseError, match=r"pred_var_AUDIO is .*mask less \(`model\.modalities\.audio\.mask_prob`\)"):
        criterion.observe([criterion(task.model, batches["AUDIO"])[2]])


CANNOT = [
    ({"of": ()}, r"none of `task\.audio`, `task\.image` and `task\.text` is set"),
    ({"audio_ratio": 0}, r"`task\.audio_ratio` is 0\.?0?; expected more than 0"),
    (
        {"audio": {"data": "x", "precompute_mask_config": {"mask_prop": 1}}},
        r"`task\.audio\.precompute_mask_config\.mask",
    ),
    ({"image": {"data": "x", "input_size": 16, "key": "imgs"}}, r"`task\.image\.key` is imgs; expected `source`"),
]


@pytest.mark.parametrize(("values", "message"), CANNOT)
def test_what_cannot_train_is_told(data: Path, values: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        made(data, **values)
