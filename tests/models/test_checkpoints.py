"""State dicts of the speech model: upstream's layout, the teacher inside, and a resume that nothing betrays."""

from __future__ import annotations

import copy
from typing import Any, Dict, List

import pytest
import torch
from fairseq.modules import EMAModule, EMAModuleConfig
from models.tiny import LAYERS, assert_same, batch, drift, tiny_model

from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel

SCOPES = [{}, {"ema_layers_only": False}, {"ema_layers_only": False, "ema_transformer_only": False}]


def losses(model: Data2VecAudioModel, updates: range) -> List[float]:
    """Loss of every update; the student drifts as if an optimiser moved it."""
    found = []
    for n in updates:
        model.set_num_updates(n)
        torch.manual_seed(n)
        found.append(model(batch())["losses"]["regression"].item())
        drift(model, n)
    return found


@pytest.mark.parametrize("depth", [1, 3])  # B28: a single convolution can make its teacher, too
@pytest.mark.parametrize("scope", SCOPES, ids=["layers", "encoder", "model"])
def test_round_trip(scope: Dict[str, bool], depth: int) -> None:
    saved = tiny_model(pos_conv_depth=depth, **scope)
    losses(saved, range(3))
    state = copy.deepcopy(saved.state_dict())
    loaded = tiny_model(pos_conv_depth=depth, **scope)
    loaded.set_num_updates(3)
    loaded.load_state_dict(copy.deepcopy(state), strict=True)
    assert_same(loaded.state_dict(), state)
    part = "encoder.pos_conv.0." if scope.get("ema_transformer_only") is False else "pos_conv.0."
    names = {key[len(part) :] for key in state["_ema"] if key.startswith(part)}
    assert names == ({"weight_g", "weight_v", "bias"} if depth == 1 else {"0.weight", "0.bias"})


@pytest.mark.parametrize("scope", SCOPES, ids=["layers", "encoder", "model"])
@pytest.mark.parametrize("ours", [True, False], ids=["with_count", "without"])
def test_resumed_run_is_the_unbroken_one(scope: Dict[str, bool], ours: bool) -> None:  # B26
    unbroken = losses(tiny_model(**scope), range(6))
    first = tiny_model(**scope)
    losses(first, range(3))
    state = copy.deepcopy(first.state_dict())
    if not ours:  # as upstream writes it
        state["_ema"] = {key: value for key, value in state["_ema"].items() if not key.startswith("_")}
    resumed = tiny_model(**scope)
    resumed.set_num_updates(3)  # fairseq does so before it loads
    resumed.load_state_dict(state)
    assert losses(resumed, range(3, 6)) == unbroken[3:]


def test_new_run_from_a_checkpoint_moves_its_teacher() -> None:
    """`checkpoint.finetune_from_model` loads at the old count and trains from 0."""
    old = tiny_model()
    losses(old, range(6))
    model = tiny_model()
    model.set_num_updates(6)
    model.load_state_dict(copy.deepcopy(old.state_dict()))
    model.set_num_updates(0)
    before = copy.deepcopy(model.method.ensure_teacher().fp32)
    drift(model, 0)
    model.set_num_updates(1)
    moved = [
        name for name, master in model.method.ensure_teacher().fp32.items() if not torch.equal(master, before[name])
    ]
    assert len(moved) == len(before)


def test_state_without_a_teacher_starts_one_from_the_loaded_student() -> None:
    saved, model = tiny_model(), tiny_model()
    drift(saved, 1)
    model.set_num_updates(0)
    model.load_state_dict(saved.state_dict(), strict=True)
    model.set_num_updates(0)
    teacher = model.method.ensure_teacher()
    assert torch.equal(
        teacher.fp32["encoder.transformer.layers.0.fc1.weight"], saved.encoder.transformer.layers[0].fc1.weight.data
    )


def test_evaluation_does_not_move_the_teacher() -> None:
    model = tiny_model()
    model.set_num_updates(0)
    before = copy.deepcopy(model.method.ensure_teacher().fp32)
    drift(model, 0)
    model.eval()
    model.set_num_updates(1)
    assert_same(before, model.method.ensure_teacher().fp32)


@pytest.mark.parametrize("prefix", ["", "w2v_encoder.w2v_model."])
def test_fine_tuning_model_loads_the_whole_state_strictly(prefix: str) -> None:
    saved = tiny_model(pos_conv_depth=1)
    saved.set_num_updates(0)
    model: Any = tiny_model(pos_conv_depth=1)
    model.remove_pretraining_modules()
    drift(model, 5)
    target = model
    if prefix:
        target = torch.nn.ModuleDict({"w2v_encoder": torch.nn.ModuleDict({"w2v_model": model})})
    target.load_state_dict({prefix + key: value for key, value in saved.state_dict().items()}, strict=True)
    assert model.method.teacher is None
    assert torch.equal(model.encoder.view.mask_emb, saved.encoder.view.mask_emb)
    assert not [key for key in target.state_dict() if "final_proj" in key or "_ema" in key]


def test_last_layer_truncates_the_encoder() -> None:
    model = tiny_model().eval()
    whole = model.extract_features(batch(), layer=1)["x"]
    model.remove_pretraining_modules(last_layer=1)
    assert len(model.encoder.transformer.layers) == 2 < LAYERS
    assert torch.equal(model.extract_features(batch())["x"], whole)


def of_upstreams_names(model: Any) -> torch.nn.Module:
    """The encoder's parts as upstream has them."""
    named, transformer = torch.nn.Module(), model.encoder.transformer
    named.layers, named.layer_norm, named.pos_conv = transformer.layers, transformer.layer_norm, model.encoder.positions
    return named


def test_fairseqs_own_teacher_takes_our_entry() -> None:
    """Stock code reads our checkpoints: what we add to `_ema` does not disturb it."""
    model = tiny_model()
    losses(model, range(3))
    entry = model.state_dict()["_ema"]
    stock = EMAModule(of_upstreams_names(tiny_model()), EMAModuleConfig(ema_decay=0.9, ema_fp32=True))
    stock.restore(copy.deepcopy(entry), True)
    for name, parameter in stock.model.named_parameters():
        assert torch.equal(parameter.data, entry[name])
    stock.step(of_upstreams_names(model))


def test_half_precision_model_keeps_its_teacher_whole() -> None:
    model = tiny_model()
    losses(model, range(3))
    state = copy.deepcopy(model.state_dict())
    half = tiny_model().half()
    half.set_num_updates(3)
    half.load_state_dict(state)
    assert {value.dtype for value in half.state_dict()["_ema"].values() if value.is_floating_point()} == {torch.float32}
    for key, value in half.state_dict()["_ema"].items():
        assert torch.equal(value, state["_ema"][key]), key
