"""Fine-tuning on pictures through the real commands: main's recipe with our keys, stopped, doubled, evaluated."""

import shutil
from pathlib import Path
from typing import Callable, List, Tuple

import pytest
import torch

pytest.importorskip("torchvision")

from forked_commands import run, run_two
from images import write_tree
from models.tiny_image import write_checkpoint
from models.tiny_vision import PIXELS
from speech import ROOT

from data2vec_plugin.runs.training_log import read_training_log

pytestmark = pytest.mark.xdist_group("images")

PLUGIN = ROOT / "data2vec_plugin"

# upstream's YAML for fine-tuning with layer-wise rates, but for sizes and the model's name
RECIPE = f"""# @package _group_
common: {{cpu: true, log_format: json, log_interval: 1, fp16_no_flatten_grads: true, user_dir: {PLUGIN}}}
checkpoint: {{no_epoch_checkpoints: true, best_checkpoint_metric: accuracy, maximize_best_checkpoint_metric: true}}
task: {{_name: image_classification, data: "???", input_size: {PIXELS}}}
dataset: {{num_workers: 0, batch_size: 3, required_batch_size_multiple: 1, valid_subset: val}}
criterion: {{_name: model, log_keys: [correct]}}
optimization: {{max_update: 6, lr: [0.001], clip_norm: 4}}
ema: {{store_ema: true, ema_decay: 0.5}}
optimizer:
  _name: composite
  dynamic_groups: true
  groups:
    default:
      lr_float: 0.01
      optimizer: {{_name: adam, adam_betas: [0.9, 0.95], weight_decay: 0.05}}
      lr_scheduler: {{_name: fixed, warmup_updates: 4}}
lr_scheduler: pass_through
model: {{_name: data2vec_image_classification, model_path: "???", layer_decay: 0.65, num_classes: 2}}
hydra: {{run: {{dir: .}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes, a checkpoint, and the recipe."""
    folder = tmp_path_factory.mktemp("images")
    write_tree(folder / "data" / "train", {"cat": 5, "dog": 4})
    write_tree(folder / "data" / "val", {"cat": 3, "dog": 4})
    write_checkpoint(folder / "pretrained.pt")
    (folder / "mains.yaml").write_text(RECIPE)
    return folder


def train(folder: Path, name: str, *overrides: str, run: Callable[..., str] = run) -> Path:
    paths = (f"task.data={folder / 'data'}", f"model.model_path={folder / 'pretrained.pt'}")
    words = ["fairseq-hydra-train", "--config-dir", str(folder), "--config-name", "mains", *paths]
    log = folder / f"{name}.log"
    log.write_text(run([*words, f"checkpoint.save_dir={folder / name}", *overrides], cwd=folder))
    return log


def validate(folder: Path, name: str, *options: str) -> str:
    return run(
        [
            *("fairseq-validate", str(folder / "data"), "--task", "image_classification", "--cpu"),
            *("--user-dir", str(PLUGIN), "--path", str(folder / name / "checkpoint_last.pt"), *options),
        ]
    )


def series(log: Path, name: str) -> List[Tuple[int, float]]:
    found = read_training_log(log)[name]
    return list(zip(found.updates, found.values))


def test_a_run_stops_and_goes_on_and_is_evaluated(folder: Path) -> None:
    whole = train(folder, "whole", "checkpoint.no_epoch_checkpoints=false")
    halves = train(folder, "halves", f"checkpoint.restore_file={folder / 'whole' / 'checkpoint1.pt'}")
    assert min(update for update, _ in series(halves, "train_inner/loss")) == 4
    for name in ("train_inner/loss", "train_inner/lr_default", "val/accuracy", "val/loss"):
        assert dict(series(halves, name))[6] == dict(series(whole, name))[6], name
    assert dict(series(whole, "train_inner/lr_default"))[1] == 0.005  # as the schedule has it, whatever the layer
    states = [torch.load(folder / name / "checkpoint_last.pt", weights_only=False) for name in ("whole", "halves")]
    for ours, theirs in ((state["model"], state["extra_state"]["ema"]) for state in states):
        assert ours.keys() == theirs.keys()
        assert not torch.equal(ours["head.weight"], theirs["head.weight"])
    for part in (lambda state: state["model"], lambda state: state["extra_state"]["ema"]):
        left, right = (part(state) for state in states)
        assert all(torch.equal(value, right[name]) for name, value in left.items())
    validated = validate(folder, "whole", "--valid-subset", "val", "--batch-size", "2", "--input-size", str(PIXELS))
    assert "loading the average of its weights" in validated
    assert f"| loss {dict(series(whole, 'val/loss'))[6]:g} " in validated
    assert f"| accuracy {dict(series(whole, 'val/accuracy'))[6]:g} " in validated


def test_two_processes_validate_every_picture_once(folder: Path) -> None:
    """Three batches of seven pictures: one of the two processes is given a batch that must not count."""
    gloo = ("distributed_training.distributed_backend=gloo", "distributed_training.ddp_backend=legacy_ddp")
    settings = (*gloo, "distributed_training.distributed_world_size=2", "optimization.max_update=2")
    log = train(folder, "two", *settings, run=run_two)
    assert "2 processes" in log.read_text()
    validated = validate(folder, "two", "--valid-subset", "val", "--batch-size", "7")
    for name in ("accuracy", "loss"):
        assert f"| {name} {series(log, f'val/{name}')[-1][1]:g} " in validated


def test_batches_without_a_good_picture_count_for_nothing(folder: Path) -> None:
    data = folder / "data"
    write_tree(data / "few", {"cat": 2, "dog": 3})
    write_tree(data / "whole", {"cat": 2, "dog": 2})
    shutil.copytree(data / "whole", data / "torn")
    for picture in (*sorted((data / "few").rglob("*.JPEG"))[:4], data / "torn" / "dog" / "002.JPEG"):
        picture.write_bytes(b"this is no picture")
    settings = ("+task.bad_image_limit=4", "dataset.train_subset=few", "dataset.valid_subset='torn,whole'")
    sizes = ("dataset.batch_size=1", "dataset.batch_size_valid=4", "checkpoint.best_checkpoint_metric=loss")
    log = train(folder, "torn", *settings, *sizes, "optimization.max_update=5")
    assert "skipped, 4 of at most 4: " in log.read_text()
    assert len(series(log, "train_inner/gnorm")) == 5
    assert len(series(log, "train_inner/loss")) == 1
    validated = validate(folder, "torn", "--valid-subset", "torn,whole", "--batch-size", "1")
    for name in ("accuracy", "loss"):
        (_, torn), (_, whole) = series(log, f"torn/{name}")[-1], series(log, f"whole/{name}")[-1]
        assert torn == whole
        assert validated.count(f"| {name} {torn:g} ") == 2
