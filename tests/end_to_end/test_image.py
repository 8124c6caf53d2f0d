"""Pictures through the recipes' own commands: folders or archives to a classifier, its accuracy, and features."""

import shutil
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest
import torch

pytest.importorskip("torchvision")

from end_to_end_commands import CONFIGS
from forked_commands import run
from images import samples, write_shard, write_tree
from printed_commands import follow

from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("images")

TINY = (
    *("+size/image=tiny", "task.input_size=32", "model.depth=2", "model.embed_dim=32", "model.average_top_k_layers=2"),
    *("model.num_mask_patches=9", "model.min_mask_patches_per_block=2"),
)
HERE = ("+run=cpu", "common.log_interval=1", "common.log_format=json", "dataset.batch_size=4")


def pretrain_command(data: Path, folder: Path, updates: int, *overrides: str) -> List[str]:
    return [
        *("fairseq-hydra-train", "--config-dir", CONFIGS, "--config-name", "image_base", *TINY, *HERE),
        *(f"task.data={data}", f"checkpoint.save_dir={folder}", f"optimization.max_update={updates}"),
        *("lr_scheduler.warmup_updates=1", "checkpoint.save_interval_updates=3", "checkpoint.keep_interval_updates=-1"),
        *overrides,
    ]


def finetune_command(data: Path, folder: Path, pretrained: Path, *overrides: str) -> List[str]:
    return [
        *("fairseq-hydra-train", "--config-dir", CONFIGS, "--config-name", "imagenet_base", *HERE),
        *(f"task.data={data}", f"checkpoint.save_dir={folder}", f"model.model_path={pretrained}"),
        *("task.input_size=32", "model.num_classes=2", "optimization.max_update=4", "lr_scheduler.warmup_updates=1"),
        *overrides,
    ]


def losses(log: Path) -> Dict[int, float]:
    series = read_training_log(log)["train_inner/loss"]
    return dict(zip(series.updates, series.values))


def trained(command: List[str], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "console.log").write_text(run(command, cwd=folder))
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for split, count in (("train", 7), ("val", 4), ("test", 3)):
        write_tree(folder / split, {"cat": count, "dog": count})
    return folder


@pytest.fixture(scope="module")
def pretrained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained")
    return trained(pretrain_command(data, folder, 6), folder)


@pytest.fixture(scope="module")
def finetuned(data: Path, pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finetuned")
    return trained(finetune_command(data, folder, pretrained / "checkpoint_last.pt"), folder)


def test_pretraining_says_what_it_does_and_saves_the_teacher(pretrained: Path) -> None:
    log = (pretrained / "console.log").read_text()
    assert "data: 14 pictures in 2 folders (train)" in log
    series = read_training_log(pretrained / "console.log")
    assert {"train_inner/target_var", "train_inner/pred_var"} <= set(series)
    assert 40 < series["train_inner/masked_pct"].values[-1] < 70
    state = torch.load(pretrained / "checkpoint_last.pt", map_location="cpu", weights_only=False)["model"]
    assert state["_ema"]["blocks.1.mlp.2.weight"].dtype == torch.float32


def test_resumed_equals_unbroken_to_the_digit(data: Path, pretrained: Path, tmp_path: Path) -> None:  # B26
    shutil.copy(next(pretrained.glob("checkpoint_*_3.pt")), tmp_path / "checkpoint_last.pt")
    resumed = losses(trained(pretrain_command(data, tmp_path, 6), tmp_path) / "console.log")
    unbroken = losses(pretrained / "console.log")
    assert sorted(unbroken) == [1, 2, 3, 4, 5, 6]
    assert resumed == {update: unbroken[update] for update in (4, 5, 6)}


def test_classifier_is_scored_on_a_split_that_it_was_not_trained_on(data: Path, finetuned: Path) -> None:
    words = ("--user-dir", "data2vec_plugin", "--task", "image_classification", "--cpu", "--log-format", "json")
    checkpoint = ("--path", str(finetuned / "checkpoint_best.pt"), "--batch-size", "4")
    best = max(read_training_log(finetuned / "console.log")["val/accuracy"].values)
    scored = run(["fairseq-validate", str(data), *words, *checkpoint, "--valid-subset", "val"], cwd=finetuned)
    assert f'"val_accuracy": "{best:g}' in scored
    scored = run(["fairseq-validate", str(data), *words, *checkpoint, "--valid-subset", "test"], cwd=finetuned)
    assert '"test_accuracy_top5": "100"' in scored


def test_features_of_both_encoders(data: Path, pretrained: Path, finetuned: Path, tmp_path: Path) -> None:
    for folder in (pretrained, finetuned):
        out = tmp_path / folder.name
        words = ["--input", str(data / "test"), "--out", str(out), "--pool", "mean", "--device", "cpu"]
        assert "6 of 6 items" in run(["data2vec", "features", str(folder / "checkpoint_last.pt"), *words], cwd=tmp_path)
        assert np.load(out / "features.npy").shape == (6, 32)


def test_what_inspect_prints_is_what_to_do(data: Path, pretrained: Path, finetuned: Path, tmp_path: Path) -> None:
    filled = {"PICTURES": data / "test", "DATA": data}
    sizes = ("task.input_size=32", "model.num_classes=2")
    _, tuned = follow(pretrained / "checkpoint_last.pt", filled, tmp_path / "a", *sizes)
    assert "val_accuracy" in tuned
    validated, _ = follow(finetuned / "checkpoint_best.pt", filled, tmp_path / "b")
    assert "accuracy" in validated


def test_archives_train_as_folders_do(pretrained: Path, tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 3)):
        write_shard(tmp_path / "data" / f"{split}-000000.tar", samples(count, "{}"))
    command = finetune_command(tmp_path / "data", tmp_path / "out", pretrained / "checkpoint_last.pt")
    log = trained([*command, "model.num_classes=3"], tmp_path / "out") / "console.log"
    assert "6 pictures in 1 archives" in log.read_text()
    assert sorted(losses(log)) == [1, 2, 3, 4]
