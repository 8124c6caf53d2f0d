"""The averaged weights of `ema.store_ema`: followed, saved, evaluated in training and by the commands after it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict

import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.criterions import build_criterion
from fairseq.models import build_model
from host.bare_trainer import ADAM, Task, config, save
from models.tiny_image import CLASSES, write_checkpoint
from models.tiny_vision import PIXELS, images
from omegaconf import OmegaConf

from data2vec_plugin.host.checkpoints.averaged_weights import EvaluatesAverage
from data2vec_plugin.host.training.trainer import Data2VecTrainer

DECAY = 0.5
Weights = Dict[str, torch.Tensor]


class AveragingTask(EvaluatesAverage, Task):
    """fairseq's task, as ours has it."""


def run(folder: Path, averages: bool = True, evaluates: bool = True, **ema: Any) -> Any:
    """A trainer of an image classifier, whose layout holds integers."""
    cfg = config(ADAM)
    cfg.ema = OmegaConf.merge(cfg.ema, {"store_ema": averages, "ema_decay": DECAY, **ema})
    cfg.task = {"_name": "image_classification", "evaluate_ema": evaluates}
    model = {"_name": "data2vec_image_classification", "model_path": str(write_checkpoint(folder / "pretrained.pt"))}
    cfg.model = {**model, "num_classes": CLASSES, "image_size": PIXELS, "data": ""}
    OmegaConf.set_struct(cfg.model, True)
    cfg.criterion = {"_name": "data2vec_image_classification"}
    torch.manual_seed(1)
    task = AveragingTask(SimpleNamespace(evaluate_ema=evaluates))
    return Data2VecTrainer(cfg, task, build_model(cfg.model, task), build_criterion(cfg.criterion, task))


def sample(count: int = 4) -> Dict[str, Any]:
    labels = torch.arange(count) % CLASSES
    return {"id": torch.arange(count), "net_input": {"img": images(count), "label": labels}}


def train(trainer: Any, updates: int) -> None:
    for _ in range(updates):
        trainer.train_step([sample()])


def learned(model: Any) -> Weights:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def assert_close(left: Weights, right: Weights) -> None:
    assert left.keys() == right.keys()
    for name, value in left.items():
        torch.testing.assert_close(value, right[name], msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("fp32", [False, True])
def test_the_average_follows_every_parameter(tmp_path: Path, fp32: bool) -> None:
    trainer = run(tmp_path, ema_fp32=fp32)
    expected = learned(trainer.get_model())
    assert trainer.ema is not None
    for _ in range(3):
        train(trainer, 1)
        now = learned(trainer.get_model())
        expected = {name: DECAY * value + (1 - DECAY) * now[name] for name, value in expected.items()}
    assert_close(learned(trainer.ema.get_model()), expected)


def test_validation_scores_the_average(tmp_path: Path) -> None:
    trainer = run(tmp_path)
    train(trainer, 3)
    average, last = trainer.ema.get_model(), trainer.get_model()
    losses = [float(evaluated(model)) for model in (average, last)]
    assert losses[0] != pytest.approx(losses[1], abs=1e-3)
    assert trainer.valid_step(sample())["loss"] == pytest.approx(losses[0] / 4, abs=1e-3)
    assert not average.training


def evaluated(model: Any) -> torch.Tensor:
    return model.eval()(**sample()["net_input"])["losses"]["regression"].sum()


@pytest.mark.parametrize(("averages", "evaluates"), [(False, True), (True, False)])
def test_without_an_average_or_against_it_the_last_weights_are_scored(
    tmp_path: Path, averages: bool, evaluates: bool
) -> None:
    trainer = run(tmp_path, averages, evaluates)
    train(trainer, 2)
    expected = float(evaluated(trainer.get_model())) / 4
    assert trainer.valid_step(sample())["loss"] == pytest.approx(expected, abs=1e-3)


def loaded(path: str, **overrides: Any) -> Weights:
    """What `fairseq-validate` evaluates."""
    models, _, _ = checkpoint_utils.load_model_ensemble_and_task([path], overrides, task=Task(SimpleNamespace()))
    return learned(models[0])


def test_commands_load_what_validation_scored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    trainer, path = run(tmp_path), str(tmp_path / "checkpoint_best.pt")
    train(trainer, 2)
    save(trainer, path)
    assert_close(loaded(path), learned(trainer.ema.get_model()))
    assert f"{path}: loading the average of its weights (`task.evaluate_ema`)" in caplog.text
    assert_close(loaded(path, evaluate_ema=False), learned(trainer.get_model()))


@pytest.mark.parametrize(("averages", "evaluates"), [(False, True), (True, False)])
def test_commands_load_the_last_weights_otherwise(tmp_path: Path, averages: bool, evaluates: bool) -> None:
    trainer, path = run(tmp_path, averages, evaluates), str(tmp_path / "checkpoint_best.pt")
    train(trainer, 2)
    save(trainer, path)
    assert_close(loaded(path), learned(trainer.get_model()))


def test_a_resumed_run_is_the_unbroken_one(tmp_path: Path) -> None:
    unbroken, resumed, path = run(tmp_path), run(tmp_path), str(tmp_path / "checkpoint_last.pt")
    train(unbroken, 2)
    save(unbroken, path)
    resumed.load_checkpoint(path)
    for trainer in (unbroken, resumed):
        train(trainer, 2)
    assert_close(learned(resumed.get_model()), learned(unbroken.get_model()))
    assert_close(learned(resumed.ema.get_model()), learned(unbroken.ema.get_model()))
