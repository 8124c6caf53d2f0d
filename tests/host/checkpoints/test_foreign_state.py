"""Runs of upstream's that go on here: the reference trains in a process of its own, ours takes over its checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
import torch
from host.bare_trainer import config, save
from host.tiny_trainer import trainer as tiny_trainer
from host.tiny_trainer import values
from host.training.test_optimizer import PRECISIONS, needs_halves
from host.upstream import SAVED, UPDATES, train, trainer
from torch import Tensor

from data2vec_plugin.core.teacher import FIRST_FORMAT, FORMAT_KEY
from data2vec_plugin.host.checkpoints.foreign_state import held
from data2vec_plugin.host.training.trainer import Data2VecTrainer

TEACHERS = {"audio": "_ema", "text": "encoder._ema"}
pytestmark = pytest.mark.xdist_group("upstream")  # so that one process starts upstream's


def resumed(path: Path, kind: str, **options: Any) -> Any:
    run = trainer(kind, Data2VecTrainer, reference_compat=True)
    run.load_checkpoint(str(path), **options)
    return run


def changed(path: Path, out: Path, change: Callable[[Dict[str, Any]], Any]) -> Path:
    """The same checkpoint with something else in it."""
    state = torch.load(path, weights_only=False)
    change(state)
    torch.save(state, out)
    return out


def assert_close(ours: Dict[str, Any], theirs: Dict[str, Any]) -> None:
    for name, value in theirs.items():
        if isinstance(value, Tensor) and name != "version" and not name.endswith(("_weight", "_bias")):
            torch.testing.assert_close(ours[name], value, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", ["audio", "text"])
def test_a_run_of_upstreams_goes_on_as_if_unbroken(kind: str, upstream: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run = resumed(upstream / f"{kind}.pt", kind)
    assert "the optimizer state was converted" in caplog.text
    model = run.get_model()
    assert (run.get_num_updates(), model.method.teacher.num_updates) == (SAVED, SAVED - 1)  # B26
    unbroken: Dict[str, Any] = torch.load(upstream / f"{kind}_unbroken.pt")
    losses = train(run, kind, range(SAVED, UPDATES))
    assert losses == pytest.approx(unbroken["losses"][SAVED:], rel=1e-5)
    assert_close(model.state_dict(), unbroken["model"])
    assert_close(model.state_dict()[TEACHERS[kind]], unbroken["model"][TEACHERS[kind]])


def test_without_its_optimizer_it_would_go_elsewhere(upstream: Path) -> None:
    run = resumed(upstream / "audio.pt", "audio", reset_optimizer=True)
    assert run.get_num_updates() == 0
    unbroken = torch.load(upstream / "audio_unbroken.pt")["losses"]
    assert train(run, "audio", range(SAVED, UPDATES)) != pytest.approx(unbroken[SAVED:], rel=1e-3)


def test_another_criterion_may_go_on(upstream: Path, tmp_path: Path) -> None:
    def rename(state: Dict[str, Any]) -> None:
        state["optimizer_history"][-1].update(criterion_name="Data2VecCriterion", lr_scheduler_state={"of": "another"})

    run = resumed(changed(upstream / "audio.pt", tmp_path / "checkpoint.pt", rename), "audio")
    assert run.get_num_updates() == SAVED
    assert len(run.optimizer.state_dict()["state"]) > 0


UNPROVEN: Dict[str, Callable[[Dict[str, Any]], Any]] = {
    "of `sgd`, but this run's optimizer is `adam`": lambda state: state["cfg"]["optimizer"].update(_name="sgd"),
    "2 groups of parameters": lambda state: state["last_optimizer_state"]["param_groups"].append({"params": []}),
    "entries, but there are": lambda state: state["last_optimizer_state"]["param_groups"][0]["params"].pop(),
}


@pytest.mark.parametrize("reason", UNPROVEN)
def test_an_order_that_cannot_be_proven_starts_the_optimizer_alone_anew(
    reason: str, upstream: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = resumed(changed(upstream / "audio.pt", tmp_path / "checkpoint.pt", UNPROVEN[reason]), "audio")
    assert "the optimizer starts fresh, because" in caplog.text
    assert reason in caplog.text
    assert run.get_num_updates() == SAVED
    assert not run.optimizer.state_dict()["state"]
    assert train(run, "audio", range(SAVED, UPDATES))


def test_a_checkpoint_without_optimizer_says_so(
    upstream: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = changed(upstream / "audio.pt", tmp_path / "checkpoint.pt", lambda state: state.pop("last_optimizer_state"))
    assert resumed(path, "audio").get_num_updates() == 0
    assert "holds no optimizer state: optimizer and learning rate start fresh, at update 0" in caplog.text


@pytest.mark.parametrize("kind", ["audio", "text"])
def test_without_a_teacher_it_starts_from_the_student(
    kind: str, upstream: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    path = changed(
        upstream / f"{kind}.pt", tmp_path / "checkpoint.pt", lambda state: state["model"].pop(TEACHERS[kind])
    )
    run = resumed(path, kind)
    assert "no teacher: the teacher starts as a copy of the loaded student" in caplog.text
    model = run.get_model()
    assert torch.equal(
        model.method.ensure_teacher().fp32["encoder.transformer.layers.0.fc1.weight"],
        model.encoder.transformer.layers[0].fc1.weight.data,
    )
    assert train(run, kind, range(SAVED, UPDATES))


def test_our_own_checkpoint_is_left_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run = trainer("audio", Data2VecTrainer)
    train(run, "audio", range(SAVED))
    save(run, str(tmp_path / "ours.pt"))
    again = resumed(tmp_path / "ours.pt", "audio")
    assert "optimizer" not in caplog.text.replace(str(tmp_path), "")
    ours, theirs = (each.optimizer.state_dict()["state"] for each in (run, again))
    for position, entry in ours.items():
        assert torch.equal(entry["exp_avg"], theirs[position]["exp_avg"])


def test_a_checkpoint_of_the_first_format_goes_on_as_if_unbroken(tmp_path: Path) -> None:
    def of_before(state: Dict[str, Any]) -> None:
        state["model"]["_ema"][FORMAT_KEY] = torch.tensor(FIRST_FORMAT)
        saved = state["last_optimizer_state"]["state"]
        places = sorted(range(len(names)), key=lambda place: layout.first_place(names[place]))
        state["last_optimizer_state"]["state"] = {new: saved[old] for new, old in enumerate(places)}
        assert places != sorted(places)

    run = trainer("audio", Data2VecTrainer)
    train(run, "audio", range(SAVED))
    save(run, str(tmp_path / "ours.pt"))
    layout, names = run.get_model().layout, [name for name, _ in run.get_model().named_parameters()]
    unbroken = train(run, "audio", range(SAVED, UPDATES))
    again = resumed(changed(tmp_path / "ours.pt", tmp_path / "before.pt", of_before), "audio")
    assert train(again, "audio", range(SAVED, UPDATES)) == unbroken


@needs_halves
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_every_tensor_of_an_optimizer_is_told_by_its_parameters(
    precision: Dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "current_device", lambda: None)  # what flat parameters are listed under
    run = tiny_trainer(config(**precision))
    optimizer, expected = run.optimizer, values(run)
    tensors = [tensor for group in optimizer.optimizer.param_groups for tensor in group["params"]]
    parts = held(optimizer, run.get_model())
    assert len(parts) == len(tensors)
    for part, tensor in zip(parts, tensors):
        assert torch.equal(torch.cat([expected[name].reshape(-1) for name in part]), tensor.detach().reshape(-1))
