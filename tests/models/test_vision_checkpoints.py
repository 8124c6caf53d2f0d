"""State dicts of the image model: upstream's layout, the teacher inside, BEiT's files, and a resume of every kind."""

from __future__ import annotations

import copy
from typing import Any, Dict, List

import pytest
import torch
from models.tiny import assert_same, drift
from models.tiny_vision import DIM, HEADS, PIXELS, SIDE, N, grid_mask, images, tiny_vision

from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel

SCOPES: List[Dict[str, Any]] = [{}, {"ema_transformer_only": False}]
KINDS: List[Dict[str, Any]] = [{}, {"shared_rel_pos_bias": False}, {"rel_pos_bias": False}]
ROWS = (2 * SIDE - 1) ** 2 + 3


def losses(model: Data2VecVisionModel, updates: range) -> List[float]:
    """Loss of every update; the student drifts as if an optimiser moved it."""
    found = []
    for n in updates:
        model.set_num_updates(n)
        found.append(float(model(images(), mask=grid_mask())["losses"]["regression"].detach()))
        drift(model, n)
    return found


def upstream_keys() -> Dict[str, Any]:
    """Names and shapes that upstream's layout has for a tiny model of one layer."""
    block = "encoder.blocks.0."
    shapes: Dict[str, Any] = {
        "cls_emb": (1, 1, DIM),
        "mask_emb": (1, 1, DIM),
        "patch_embed.conv.weight": (DIM, 3, PIXELS // SIDE, PIXELS // SIDE),
        "patch_embed.conv.bias": (DIM,),
        "encoder.rel_pos_bias.relative_position_bias_table": (ROWS, HEADS),
        "encoder.rel_pos_bias.relative_position_index": (N + 1, N + 1),
        block + "attn.qkv.weight": (3 * DIM, DIM),
        block + "attn.proj.weight": (DIM, DIM),
        block + "mlp.0.weight": (2 * DIM, DIM),
        block + "mlp.0.bias": (2 * DIM,),
        block + "mlp.2.weight": (DIM, 2 * DIM),
        "final_proj.weight": (DIM, DIM),
        "final_proj.bias": (DIM,),
    }
    vectors = ["gamma_1", "gamma_2", "attn.q_bias", "attn.v_bias", "attn.proj.bias", "mlp.2.bias"]
    vectors += [f"{norm}.{part}" for norm in ("norm1", "norm2") for part in ("weight", "bias")]
    shapes.update({block + name: (DIM,) for name in vectors})
    return {**shapes, "encoder.norm.weight": (DIM,), "encoder.norm.bias": (DIM,)}


def beit_names(state: Dict[str, Any]) -> Dict[str, Any]:
    """The same weights as BEiT's own code saves them, which has neither teacher nor prefix."""
    renames = (
        ("cls_emb", "cls_token"),
        ("mask_emb", "mask_token"),
        ("patch_embed.conv", "patch_embed.proj"),
        ("final_proj", "lm_head"),
        ("encoder.", ""),
        (".mlp.0.", ".mlp.fc1."),
        (".mlp.2.", ".mlp.fc2."),
    )
    renamed = {}
    for name, value in state.items():
        for ours, theirs in renames:
            name = name.replace(ours, theirs)
        renamed[name] = value
    renamed.pop("_ema", None)
    return renamed


def test_state_has_upstreams_names_and_shapes() -> None:
    model = tiny_vision(depth=1)
    state = model.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == upstream_keys()
    model.set_num_updates(0)
    teacher = {key for key in model.state_dict()["_ema"] if not key.startswith("_")}
    assert teacher == {key[len("encoder.") :] for key in state if key.startswith("encoder.")}
    whole = tiny_vision(depth=1, ema_transformer_only=False)
    whole.set_num_updates(0)
    assert {key for key in whole.state_dict()["_ema"] if not key.startswith("_")} == set(state)


@pytest.mark.parametrize("scope", SCOPES, ids=["encoder", "model"])
@pytest.mark.parametrize("kind", KINDS, ids=["shared", "layers", "none"])
def test_round_trip(scope: Dict[str, Any], kind: Dict[str, Any]) -> None:
    saved = tiny_vision(**scope, **kind)
    losses(saved, range(3))
    state = copy.deepcopy(saved.state_dict())
    loaded = tiny_vision(**scope, **kind)
    loaded.set_num_updates(3)
    given = copy.deepcopy(state)
    loaded.upgrade_state_dict(given)
    loaded.load_state_dict(given, strict=True)
    assert_same(loaded.state_dict(), state)
    straight = tiny_vision(**scope, **kind)
    straight.set_num_updates(3)
    straight.load_state_dict(copy.deepcopy(state), strict=True)
    assert_same(straight.state_dict(), state)


@pytest.mark.parametrize("scope", SCOPES, ids=["encoder", "model"])
@pytest.mark.parametrize("ours", [True, False], ids=["with_count", "without"])
def test_resumed_run_is_the_unbroken_one(scope: Dict[str, Any], ours: bool) -> None:  # B26
    unbroken = losses(tiny_vision(**scope), range(6))
    first = tiny_vision(**scope)
    losses(first, range(3))
    state = copy.deepcopy(first.state_dict())
    if not ours:  # as upstream writes it
        state["_ema"] = {key: value for key, value in state["_ema"].items() if not key.startswith("_")}
    resumed = tiny_vision(**scope)
    resumed.set_num_updates(3)  # fairseq does so before it loads
    resumed.upgrade_state_dict(state)
    resumed.load_state_dict(state, strict=True)
    assert losses(resumed, range(3, 6)) == unbroken[3:]


def test_one_step_an_update_whatever_the_micro_batches() -> None:  # B26
    model = tiny_vision(ema_decay=0.5, ema_end_decay=0.5)
    model.set_num_updates(0)
    drift(model, 0)
    name = "encoder.positions.rel_pos_bias.table"
    before = model.method.ensure_teacher().fp32[name].clone()
    for _ in range(3):
        model.set_num_updates(1)
    wanted = (before + model.method.get_parameter(name).data) / 2
    torch.testing.assert_close(model.method.ensure_teacher().fp32[name], wanted)


@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_file_of_beit_is_taken(prefix: str) -> None:
    saved = tiny_vision()
    drift(saved, 3)
    state = {prefix + name: value for name, value in beit_names(saved.state_dict()).items()}
    model = tiny_vision()
    model.upgrade_state_dict_named(state, prefix[:-1])
    model.load_state_dict({name[len(prefix) :]: value for name, value in state.items()}, strict=True)
    assert_same(model.state_dict(), saved.state_dict())
    assert torch.equal(model(images(), mask=False)["x"], saved(images(), mask=False)["x"])


def test_fine_tuning_model_takes_the_whole_pretraining_state() -> None:
    """The reference removes modules and then asks for them when it loads."""
    saved = tiny_vision()
    losses(saved, range(2))
    model = tiny_vision()
    model.remove_pretraining_modules()
    drift(model, 5)
    state = saved.state_dict()
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=True)
    assert model.method.teacher is None
    result = saved.eval()(images(), mask=False, layer_results=True)
    torch.testing.assert_close(model.eval()(images(), mask=False)["x"], result["layer_results"][-1])
    gone = ("final_proj", "_ema", "mask_emb", "encoder.norm")
    assert not [key for key in model.state_dict() if key.startswith(gone)]


def test_half_precision_model_keeps_its_teacher_whole() -> None:
    model = tiny_vision()
    losses(model, range(3))
    state = copy.deepcopy(model.state_dict())
    half = tiny_vision().half()
    half.set_num_updates(3)
    half.load_state_dict(copy.deepcopy(state))
    assert_same(half.state_dict()["_ema"], state["_ema"])


def test_a_teacher_of_another_size_is_refused() -> None:
    saved = tiny_vision(depth=2)
    saved.set_num_updates(0)
    model = tiny_vision()
    state = {**tiny_vision().state_dict(), "_ema": saved.state_dict()["_ema"]}
    with pytest.raises(ValueError, match=r"the teacher's `.*` is nothing in the checkpoint"):
        model.load_state_dict(state)
