"""Upstream's runs of data2vec 2.0 have a composite optimizer: whose each moment is, here in one optimizer or in two."""

from __future__ import annotations

import json
import logging
from types import SimpleNamespace
from typing import Any, Dict, Iterator, Tuple

import pytest
import torch
from fairseq.criterions.model_criterion import ModelCriterion
from host.bare_trainer import ADAM, Task, config
from host.tiny_trainer import COMPOSITE, GROUP
from parity import multi_models
from parity.cases import HERE
from torch import Tensor

from data2vec_plugin.host.training.optimizer import torch_optimizers
from data2vec_plugin.host.training.trainer import Data2VecTrainer

GROUPS = json.loads((HERE / "v2_optimizer_groups.json").read_text())
"""Upstream's own names of the parameters in each group, in its order, written down by its optimizer."""
TWO = {**COMPOSITE, "groups": {**COMPOSITE["groups"], "decoder": {"lr_float": 0.5, **GROUP}}}
OURS: Dict[str, Tuple[Any, bool]] = {"adam": (ADAM, False), "composite": (COMPOSITE, False), "two": (TWO, True)}


def saved(modality: str) -> Dict[str, Any]:
    path = HERE / f"official_style_v2_{modality}" / "checkpoint.pt"
    state: Dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return state


def trainer(state: Dict[str, Any], optimizer: Dict[str, Any], decoder_group: bool) -> Data2VecTrainer:
    """A trainer of ours on the checkpoint's model."""
    symbols = [len(value) for key, value in state["model"].items() if key.endswith("embed_tokens.weight")]
    section = {**state["cfg"]["model"], "decoder_group": decoder_group}
    task = Task(SimpleNamespace())
    model = multi_models.multi_model(section, {}, *symbols)
    return Data2VecTrainer(config(optimizer), task, model, ModelCriterion(task, {}, []))


def moments(run: Data2VecTrainer) -> Iterator[Tuple[str, Dict[str, Any]]]:
    """Each trained parameter by upstream's name, with its entry of the optimizer's state."""
    model: Any = run.get_model()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for optimizer in torch_optimizers(run.optimizer):
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                yield model.layout.plain_name(names[id(parameter)]), optimizer.state[parameter]


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("modality", ["image", "text"])
def test_every_moment_goes_to_its_parameter(modality: str, ours: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    state = saved(modality)
    theirs: Dict[str, Tensor] = {
        name: state["last_optimizer_state"][group]["state"].get(place, {}).get("exp_avg")
        for group, names in GROUPS[modality].items()
        for place, name in enumerate(names)
    }
    run = trainer(state, *OURS[ours])
    run.load_checkpoint(str(HERE / f"official_style_v2_{modality}" / "checkpoint.pt"))
    assert "the optimizer state was converted" in caplog.text
    taken = dict(moments(run))
    assert taken.keys() == theirs.keys()
    assert run.get_num_updates() == 3
    for name, entry in taken.items():
        if theirs[name] is None:
            assert not entry, name
        else:
            assert torch.equal(entry["exp_avg"].reshape(-1), theirs[name].reshape(-1)), name
            assert float(entry["step"]) == 3


def test_a_group_that_no_parameter_is_of_is_no_proof(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    state = saved("text")
    groups = state["last_optimizer_state"]
    groups["another"] = groups.pop("default")
    torch.save(state, tmp_path / "checkpoint.pt")
    run = trainer(saved("text"), ADAM, False)
    run.load_checkpoint(str(tmp_path / "checkpoint.pt"))
    assert "the optimizer starts fresh, because its state has the groups " in caplog.text
    assert not any(entry for _, entry in moments(run))
