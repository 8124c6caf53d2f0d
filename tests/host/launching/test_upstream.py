"""The composite optimizer: main's key is known, and two in one process keep apart."""

import pickle
from typing import Any, List, Tuple

import pytest
import torch

pytest.importorskip("fairseq")

from fairseq.dataclass.utils import merge_with_parent
from fairseq.optim import OPTIMIZER_DATACLASS_REGISTRY, composite
from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

ADAM = {"_name": "adam", "adam_betas": [0.9, 0.95], "tpu": False}
GROUP = {"lr_float": 0.1, "lr_scheduler": {"_name": "fixed"}, "optimizer": ADAM}


def config(**keys: Any) -> Any:
    return merge_with_parent(OPTIMIZER_DATACLASS_REGISTRY["composite"](), OmegaConf.create(keys))


def build(name: str) -> Tuple[List[torch.nn.Parameter], Any]:
    parameters = [torch.nn.Parameter(torch.ones(1)) for _ in range(2)]
    for parameter in parameters:
        parameter.param_group = name  # type: ignore[attr-defined]
        parameter.grad = torch.ones(1)
    return parameters, composite.FairseqCompositeOptimizer(config(groups={name: GROUP}), parameters)


def test_mains_key_is_known_and_off_by_default() -> None:
    assert config(dynamic_groups=True, groups={"default": GROUP}).dynamic_groups
    assert not config(groups={"default": GROUP}).dynamic_groups


def test_hydra_knows_it_too() -> None:
    assert "dynamic_groups" in ConfigStore.instance().load("optimizer/composite.yaml").node


def test_a_configuration_survives_a_pickle() -> None:
    given = OPTIMIZER_DATACLASS_REGISTRY["composite"](dynamic_groups=True)
    assert pickle.loads(pickle.dumps(given)) == given


def test_a_second_optimizer_does_not_step_the_first() -> None:
    others, first = build("decoder")
    parameters, second = build("default")
    second.step()
    assert [value.item() for value in others] == [1.0, 1.0]
    assert [value.item() for value in parameters] == pytest.approx([0.9, 0.9])
    assert [list(optimizer.optimizers) for optimizer in (first, second)] == [["decoder"], ["default"]]
