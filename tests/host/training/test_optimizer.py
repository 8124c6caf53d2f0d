"""Update rules under fairseq's real trainer: in every precision, with its optimizers, saved and resumed."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, Dict, List

import pytest
import torch
from fairseq.logging import metrics
from host.bare_trainer import ADAM, config, save
from host.tiny_trainer import COMPOSITE, PlainModel, train, trainer, values

from data2vec_plugin.host.training.optimizer import check_unsharded, cut_up


@pytest.fixture
def flat_on_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """fairseq looks for flat fp16 parameters by the number of a GPU, which for the CPU is None."""
    monkeypatch.setattr(torch.cuda, "current_device", lambda: None)


PRECISIONS = [
    {},
    {"bf16": True},
    {"fp16": True, "fp16_no_flatten_grads": True},
    {"fp16": True, "fp16_no_flatten_grads": False},
    {"bf16": True, "memory_efficient_bf16": True},
]
OLD = tuple(int(part) for part in torch.__version__.split(".")[:2]) < (2, 3)
needs_halves = pytest.mark.skipif(OLD, reason="this torch multiplies no halves on a CPU")


def setting(optimizer: Dict[str, Any], precision: Dict[str, Any]) -> Any:
    name = f"{optimizer['_name']} {' '.join(key for key, value in precision.items() if value) or 'fp32'}"
    return pytest.param(optimizer, precision, id=name, marks=[needs_halves] if "fp16" in precision else [])


SETTINGS = [*(setting(ADAM, each) for each in PRECISIONS), *(setting(COMPOSITE, each) for each in PRECISIONS[:3])]
EXPECTED = {"embedding": 0.125, "layers.0": 0.25, "layers.1": 0.5, "table": 1.0, "head": 1.0}


@pytest.mark.usefixtures("flat_on_cpu")
@pytest.mark.parametrize(("optimizer", "precision"), SETTINGS)
def test_the_first_step_is_the_scale_of_each_layer(optimizer: Dict[str, Any], precision: Dict[str, Any]) -> None:
    run = trainer(config(optimizer, fp16_init_scale=4, **precision))
    assert run.optimizer
    before = values(run)
    train(run, [1])
    assert run.get_num_updates() == 1
    for name, value in values(run).items():  # Adam's first step is lr × the sign of the gradient
        moved = (value - before[name]).abs().float() / 0.25
        scale = next(scale for start, scale in EXPECTED.items() if name.startswith(start))
        inexact = 2e-2 if "memory_efficient_bf16" in precision else 1e-4
        torch.testing.assert_close(
            moved[moved > 0], torch.full_like(moved[moved > 0], scale), rtol=inexact, atol=inexact
        )
        assert (moved > 0).any(), name


@pytest.mark.usefixtures("flat_on_cpu")
@pytest.mark.parametrize(("optimizer", "precision"), SETTINGS)
def test_a_resumed_run_is_the_unbroken_one(
    optimizer: Dict[str, Any], precision: Dict[str, Any], tmp_path: Path
) -> None:
    cfg = config(optimizer, fp16_init_scale=4, **precision)
    unbroken, resumed = trainer(cfg), trainer(copy.deepcopy(cfg))
    train(unbroken, [1, 2])
    path = str(tmp_path / "checkpoint_last.pt")
    save(unbroken, path)
    resumed.load_checkpoint(path)
    forget_digits(unbroken)
    for run in (unbroken, resumed):
        train(run, [3, 4])
    assert resumed.get_num_updates() == 4
    expected = values(unbroken)
    for name, value in values(resumed).items():
        assert torch.equal(value, expected[name]), name
    assert groups(unbroken.optimizer.state_dict()) == groups(resumed.optimizer.state_dict())


def forget_digits(run: Any) -> None:
    """Round the fp32 copies of half-precision weights, which fairseq does not save."""
    copies = getattr(run.optimizer, "fp32_params", [])
    for whole in copies.values() if isinstance(copies, dict) else copies:
        whole.data.copy_(whole.data.to(next(run.get_model().parameters()).dtype))


def groups(state: Dict[str, Any]) -> List[Any]:
    """The groups that an optimizer saved, without what they hold."""
    saved = state if "param_groups" in state else state["default"]
    return [{key: value for key, value in group.items() if key != "params"} for group in saved["param_groups"]]


@pytest.mark.parametrize("optimizer", [ADAM, COMPOSITE], ids=["adam", "composite"])
def test_decay_takes_matrices_only(optimizer: Dict[str, Any]) -> None:
    decayed = copy.deepcopy(optimizer)
    (decayed["groups"]["default"]["optimizer"] if "groups" in decayed else decayed)["weight_decay"] = 0.5
    without, with_decay = trainer(config(optimizer)), trainer(config(decayed))
    before = values(without)
    train(without, [1])
    train(with_decay, [1])
    expected = values(without)
    for name, value in values(with_decay).items():
        scale = next(scale for start, scale in EXPECTED.items() if name.startswith(start))
        share = 0.5 * 0.25 * scale if name.endswith(".weight") else 0.0
        torch.testing.assert_close(value, expected[name] - share * before[name])


@needs_halves
@pytest.mark.usefixtures("flat_on_cpu")
def test_flat_gradients_change_nothing_but_the_buffer() -> None:
    settings = {"fp16": True, "fp16_init_scale": 4}
    decayed = {**ADAM, "weight_decay": 0.1}
    flat, apart = (trainer(config(decayed, **settings, fp16_no_flatten_grads=off)) for off in (False, True))
    for run in (flat, apart):
        run.cfg.optimization.clip_norm = 0.5
        train(run, range(5))
    expected = values(apart)
    for name, value in values(flat).items():
        torch.testing.assert_close(value, expected[name])


@pytest.mark.parametrize(("optimizer", "logged"), [(ADAM, "lr"), (COMPOSITE, "lr_default")], ids=["adam", "composite"])
def test_the_rate_that_is_logged_and_saved_is_the_schedules(optimizer: Dict[str, Any], logged: str) -> None:
    cfg = config(copy.deepcopy(optimizer))
    (cfg.optimizer.groups.default if logged == "lr_default" else cfg).lr_scheduler.warmup_updates = 4
    run = trainer(cfg)
    with metrics.aggregate(new_root=True) as seen:
        train(run, [1, 2])
    assert run.get_lr() == seen[logged].val == 0.25 * 3 / 4
    saved = groups(run.optimizer.state_dict())
    assert {group["lr"] for group in saved} == {0.25 * 3 / 4}
    assert [group["lr_scale"] for group in saved] == [1.0, 0.125, 0.125, 0.25, 0.25, 0.5, 0.5, 1.0]


def test_a_model_without_rules_keeps_one_group() -> None:
    run = trainer(config(), PlainModel())
    train(run, [1])
    assert len(run.optimizer.param_groups) == 1
    assert "lr_scale" not in run.optimizer.param_groups[0]


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("distributed_training", "ddp_backend", "slowmo"),
        ("distributed_training", "zero_sharding", "os"),
        ("optimization", "use_bmuf", True),
    ],
)
def test_what_does_not_hold_whole_parameters_is_refused(section: str, name: str, value: Any) -> None:
    cfg = config()
    cfg[section][name] = value
    with pytest.raises(ValueError, match=f"`{section}.{name}` is {value}: learning rates by layer"):
        check_unsharded(cfg, "learning rates by layer need")


@pytest.mark.usefixtures("flat_on_cpu")
def test_flat_gradients_of_several_devices_name_the_knob() -> None:
    run = trainer(config(fp16=True))
    whole = run.optimizer.fp32_params[None]
    with pytest.raises(ValueError, match=r"there are 2 and 1; set `common\.fp16_no_flatten_grads=true`"):
        cut_up(run.optimizer, [], {0: whole, 1: whole})
