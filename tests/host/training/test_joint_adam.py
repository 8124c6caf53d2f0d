"""Adam for many parameters at a time: the numbers of fairseq's, its state, and which optimizers it replaces."""

from __future__ import annotations

import copy
from typing import Any, Dict, List

import pytest
import torch
from fairseq.optim.adam import Adam
from host.bare_trainer import ADAM, config
from host.tiny_trainer import COMPOSITE, trainer
from torch.nn import Parameter

from data2vec_plugin.host.training import joint_adam
from data2vec_plugin.host.training.joint_adam import JointAdam, has_fused, portions, step_jointly
from data2vec_plugin.host.training.optimizer import torch_optimizers

SHAPES = [(3, 4), (4,), (2, 3, 2), (1,), (5, 5)]


def groups() -> List[Dict[str, Any]]:
    """Two groups, of which one decays; the same each time."""
    torch.manual_seed(0)
    parameters = [Parameter(torch.randn(shape)) for shape in SHAPES]
    return [{"params": parameters[:3], "weight_decay": 0.1}, {"params": parameters[3:]}]


def train(optimizer: Any, steps: range) -> None:
    for step in steps:
        torch.manual_seed(step)
        for number, group in enumerate(optimizer.param_groups):
            group["lr"] = 0.1 / (step + number + 1)
            for place, parameter in enumerate(group["params"]):
                gradient = torch.randn_like(parameter)
                parameter.grad = None if (step + place) % 4 == 0 else gradient  # some have none now and then
        optimizer.step()


def assert_same(ours: Any, theirs: Any, relative: float = 0.0) -> None:
    """The same parameters and state, or up to a relative difference."""

    def assert_close(one: Any, other: Any) -> None:
        torch.testing.assert_close(torch.as_tensor(one), torch.as_tensor(other), rtol=relative, atol=relative)

    first, second = ours.state_dict(), theirs.state_dict()
    assert first["param_groups"] == second["param_groups"]
    assert first["state"].keys() == second["state"].keys()
    for place, entry in second["state"].items():
        assert entry.keys() == first["state"][place].keys()
        for field, value in entry.items():
            assert_close(first["state"][place][field], value)
    for group, expected in zip(ours.param_groups, theirs.param_groups):
        for pair in zip(group["params"], expected["params"]):
            assert_close(*pair)


@pytest.fixture
def each_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch without the fused kernel."""
    monkeypatch.setattr(joint_adam, "has_fused", lambda device: False)


@pytest.mark.usefixtures("each_kernel")
@pytest.mark.parametrize("at_a_time", [1 << 25, 7])
def test_numbers_and_state_are_fairseqs_to_the_last_bit(at_a_time: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_adam, "AT_A_TIME", at_a_time)
    ours, theirs = JointAdam(groups(), lr=0.1), Adam(groups(), lr=0.1)
    for optimizer in (ours, theirs):
        train(optimizer, range(6))
    assert_same(ours, theirs)


@pytest.mark.parametrize("eps", [1e-8, 1e-2])
def test_one_kernel_gives_fairseqs_numbers_up_to_rounding(eps: float) -> None:
    ours, theirs = JointAdam(groups(), lr=0.1, eps=eps), Adam(groups(), lr=0.1, eps=eps)
    for optimizer in (ours, theirs):
        train(optimizer, range(30))
    assert_same(ours, theirs, 1e-5)


def test_todays_torch_has_the_kernel() -> None:
    assert has_fused("cpu") == (tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 4))


def test_parameters_and_gradients_of_another_order_in_memory_get_the_same_numbers() -> None:
    torch.manual_seed(0)
    values, gradients = torch.randn(3, 4, 5), torch.randn(3, 5, 4).transpose(1, 2)
    results = []
    for kind in (JointAdam, Adam):
        parameters = [Parameter(values.clone()), Parameter(values.clone().transpose(0, 2)), Parameter(values.clone())]
        optimizer = kind(parameters, lr=0.1)
        parameters[0].grad, parameters[2].grad = gradients, gradients.contiguous()
        parameters[1].grad = gradients.permute(2, 1, 0)
        optimizer.step()
        results.append(parameters)
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs)
    assert torch.allclose(results[0][0], results[0][2])


@pytest.mark.parametrize(("fused", "relative"), [(False, 0.0), (True, 1e-5)])
def test_state_goes_from_one_to_the_other(fused: bool, relative: float, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fused:
        monkeypatch.setattr(joint_adam, "has_fused", lambda device: False)
    first, second = Adam(groups(), lr=0.1), JointAdam(groups(), lr=0.1)
    train(first, range(3))
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    with torch.no_grad():
        for group, other in zip(second.param_groups, first.param_groups):
            for parameter, value in zip(group["params"], other["params"]):
                parameter.copy_(value)
    for optimizer in (first, second):
        train(optimizer, range(3, 6))
    assert_same(second, first, relative)


def test_portions_hold_what_has_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint_adam, "AT_A_TIME", 5)
    parameters = [Parameter(torch.ones(size)) for size in (2, 3, 9, 1, 4)]
    for parameter in (parameters[0], *parameters[2:]):
        parameter.grad = torch.ones_like(parameter)
    assert [[len(parameter) for parameter in portion] for portion in portions(parameters)] == [[2], [9], [1, 4]]


def test_a_closure_gives_its_loss() -> None:
    (parameter,) = parameters = [Parameter(torch.ones(2))]
    optimizer = JointAdam(parameters, lr=0.1)

    def closure() -> Any:
        loss = parameter.square().sum()
        loss.backward()
        return loss

    assert float(optimizer.step(closure).detach()) == 2


@pytest.mark.parametrize(
    ("optimizer", "precision", "jointly"),
    [
        (ADAM, {}, True),
        (COMPOSITE, {}, True),
        (ADAM, {"bf16": True}, True),
        (ADAM, {"bf16": True, "memory_efficient_bf16": True}, False),
        ({"_name": "nag", "momentum": 0.9, "weight_decay": 0.0, "lr": [0.25]}, {}, False),
    ],
)
def test_a_run_of_ours_has_it_where_it_fits(optimizer: Any, precision: Dict[str, Any], jointly: bool) -> None:
    run = trainer(config(optimizer, **precision))
    assert run.optimizer
    assert [isinstance(inner, JointAdam) for inner in torch_optimizers(run.optimizer)] == [jointly]


def test_an_optimizer_in_an_optimizer_stays() -> None:
    class Outer:
        def __init__(self, inner: Any) -> None:
            self._optimizer = inner

        @property
        def optimizer(self) -> Any:
            return self._optimizer.optimizer

    run = trainer(config(ADAM))
    outer = Outer(run.optimizer)
    step_jointly(outer)
    assert outer._optimizer is run.optimizer


def test_sparse_gradients_are_refused() -> None:
    parameter = Parameter(torch.ones(2, 2))
    parameter.grad = torch.ones(2, 2).to_sparse()
    with pytest.raises(RuntimeError, match="sparse gradients"):
        JointAdam([parameter, Parameter(torch.ones(1))], lr=0.1).step()
