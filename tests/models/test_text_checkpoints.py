"""State dicts of the text model: upstream's layout and older ones, the teacher inside, and a resume of every kind."""

from __future__ import annotations

import copy
from argparse import Namespace
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from fairseq.models import ARCH_MODEL_REGISTRY
from models.tiny import assert_same, drift
from models.tiny_text import DIM, MASK, dictionary, tiny_text, whole

from data2vec_plugin.models.data2vec_text import Data2VecTextModel

SCOPES = [{}, {"ema_transformer_layers_only": False}]
BODY = "encoder.sentence_encoder."


def losses(model: Data2VecTextModel, updates: range) -> List[float]:
    """Loss of every update; the student drifts as if an optimiser moved it."""
    found = []
    for n in updates:
        model.set_num_updates(n)
        source = whole()
        source[:, 3:6] = MASK
        result: Any = model(source, whole())
        found.append(float(result["losses"]["main"].detach()))
        drift(model, n)
    return found


def upstream_keys(head_layers: int) -> Dict[str, Any]:
    """Names and shapes that upstream's layout has for a tiny model of one layer."""
    both = ("weight", "bias")
    keys: Dict[str, Any] = {"version": (1,), "embed_tokens.weight": (25, DIM), "embed_positions.weight": (34, DIM)}
    norms = ("layernorm_embedding", "layers.0.self_attn_layer_norm", "layers.0.final_layer_norm")
    keys.update({f"{name}.{part}": (DIM,) for name in norms for part in both})
    linear = {f"layers.0.self_attn.{name}_proj": (DIM, DIM) for name in "kvq"}
    linear.update({"layers.0.self_attn.out_proj": (DIM, DIM), "layers.0.fc1": (24, DIM), "layers.0.fc2": (DIM, 24)})
    keys.update(
        {f"{name}.{part}": shape[: 2 if part == "weight" else 1] for name, shape in linear.items() for part in both}
    )
    keys = {BODY + name: shape for name, shape in keys.items()}
    head = {1: [(DIM, DIM)], 2: [(2 * DIM, DIM), (DIM, 2 * DIM)]}[head_layers]
    for index, shape in enumerate(head):
        keys[f"encoder.regression_head.{2 * index}.weight"] = shape
        keys[f"encoder.regression_head.{2 * index}.bias"] = shape[:1]
    return keys


def old_names(state: Dict[str, Any]) -> Dict[str, Any]:
    """The same state by the names of years ago."""
    renames = (
        ("encoder.sentence_encoder", "decoder.sentence_encoder"),
        (".layernorm_embedding.", ".emb_layer_norm."),
        (".self_attn_layer_norm.", ".layer_norms.0."),
        (".final_layer_norm.", ".layer_norms.1."),
    )
    renamed = {}
    for name, value in state.items():
        for new, old in renames:
            name = name.replace(new, old)
        renamed[name] = value
    return renamed


@pytest.mark.parametrize("head_layers", [1, 2])
def test_state_has_upstreams_names_and_shapes(head_layers: int) -> None:
    model = tiny_text(head_layers=head_layers, encoder__layers=1)
    state = model.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == upstream_keys(head_layers)
    model.set_num_updates(0)
    teacher = {key for key in model.state_dict()["encoder._ema"] if not key.startswith("_")}
    assert teacher == {key[len(BODY) :] for key in state if key.startswith(BODY)} - {"version"}


@pytest.mark.parametrize("prefix", ["", "model."])
@pytest.mark.parametrize("old", [False, True], ids=["today", "years_ago"])
def test_upgrade_is_idempotent_and_keeps_to_its_prefix(prefix: str, old: bool) -> None:
    model = tiny_text()
    model.set_num_updates(0)
    saved = model.state_dict()
    state = {prefix + key: value for key, value in (old_names(saved) if old else saved).items()}
    state["other.encoder.lm_head.bias"] = torch.zeros(1)
    model.upgrade_state_dict_named(state, prefix[:-1])
    once = dict(state)
    model.upgrade_state_dict_named(state, prefix[:-1])
    assert state.keys() == once.keys()
    assert state.pop("other.encoder.lm_head.bias") is not None
    in_memory = {name for name, _ in model.named_parameters()}
    assert set(state) == {prefix + name for name in (*in_memory, "_ema")}


@pytest.mark.parametrize("scope", SCOPES, ids=["layers", "encoder"])
@pytest.mark.parametrize("old", [False, True], ids=["today", "years_ago"])
def test_round_trip(scope: Dict[str, bool], old: bool) -> None:  # B14, B30
    saved = tiny_text(**scope)
    losses(saved, range(3))
    state = copy.deepcopy(saved.state_dict())
    loaded = tiny_text(**scope)
    loaded.set_num_updates(3)
    given = old_names(copy.deepcopy(state)) if old else copy.deepcopy(state)
    loaded.upgrade_state_dict(given)
    loaded.load_state_dict(given, strict=True)
    assert_same(loaded.state_dict(), state)


@pytest.mark.parametrize("scope", SCOPES, ids=["layers", "encoder"])
@pytest.mark.parametrize("ours", [True, False], ids=["with_count", "without"])
def test_resumed_run_is_the_unbroken_one(scope: Dict[str, bool], ours: bool) -> None:  # B26
    unbroken = losses(tiny_text(**scope), range(6))
    first = tiny_text(**scope)
    losses(first, range(3))
    state = copy.deepcopy(first.state_dict())
    if not ours:  # as upstream writes it
        state["encoder._ema"] = {key: value for key, value in state["encoder._ema"].items() if key[0] != "_"}
        state["encoder._ema"]["version"] = torch.tensor([3.0])
    resumed = tiny_text(**scope)
    resumed.set_num_updates(3)  # fairseq does so before it loads
    resumed.upgrade_state_dict(state)
    resumed.load_state_dict(state, strict=True)
    assert losses(resumed, range(3, 6)) == unbroken[3:]


def test_one_step_an_update_whatever_the_micro_batches() -> None:  # B26
    model = tiny_text(ema_decay=0.5, ema_end_decay=0.5)
    model.set_num_updates(0)
    drift(model, 0)
    before = {name: tensor.clone() for name, tensor in model.method.ensure_teacher().fp32.items()}
    for _ in range(3):
        model.set_num_updates(1)
    name = "encoder.transformer.layers.0.fc1.weight"
    wanted = (before[name] + model.encoder.transformer.layers[0].fc1.weight.data) / 2
    torch.testing.assert_close(model.method.ensure_teacher().fp32[name], wanted)


def test_heads_of_roberta_are_left_out() -> None:
    """A checkpoint of another objective gives its body; its heads, and an old teacher, are not ours."""
    model = tiny_text()
    state = {key: value for key, value in model.state_dict().items() if "regression_head" not in key}
    foreign = ("encoder.lm_head.weight", "encoder.lm_head.dense.bias", "encoder.emb_head.0.bias")
    state.update(dict.fromkeys((*foreign, "encoder.target_model.layers.0.fc1.bias"), torch.zeros(3)))
    encoder = tiny_text()
    encoder.remove_pretraining_modules()
    encoder.upgrade_state_dict(state)
    encoder.load_state_dict(state, strict=True)
    with pytest.raises(RuntimeError, match=r"Missing key.*final_proj"):
        model.load_state_dict(state, strict=True)


def test_fine_tuning_model_takes_the_whole_pretraining_state() -> None:
    saved = tiny_text()
    saved.set_num_updates(0)
    model = tiny_text()
    model.remove_pretraining_modules()
    drift(model, 5)
    state = saved.state_dict()
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=True)
    assert model.method.teacher is None
    assert torch.equal(model.encoder.embedder.embed_tokens.weight, saved.encoder.embedder.embed_tokens.weight)
    assert not [key for key in model.state_dict() if "regression_head" in key or "_ema" in key]


@pytest.mark.parametrize("adopt", [False, True])
def test_heads_of_a_checkpoint_are_adopted_if_asked_for(adopt: bool, caplog: pytest.LogCaptureFixture) -> None:
    saved, model = tiny_text(), tiny_text(load_checkpoint_heads=adopt)
    for name, classes in (("mine", 2), ("theirs", 3), ("resized", 4)):
        saved.register_classification_head(name, classes)
    model.register_classification_head("mine", 2)
    model.register_classification_head("resized", 5)
    model.register_classification_head("new", 2)
    drift(model, 1)
    state = saved.state_dict()
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=True)
    heads, theirs = model.classification_heads, saved.classification_heads
    assert heads is not None
    assert theirs is not None
    assert list(heads) == ["mine", "resized", "new", *(["theirs"] if adopt else [])]
    assert torch.equal(heads["mine"].dense.weight, theirs["mine"].dense.weight)
    assert heads.shape("resized") == (5, DIM)
    assert not torch.equal(heads["resized"].dense.weight, theirs["resized"].dense.weight)
    assert "classification head `resized` (4, 16) of the checkpoint is not in this model, skipped" in caplog.text
    assert ("`theirs`" in caplog.text) != adopt


def test_half_precision_model_keeps_its_teacher_whole() -> None:
    model = tiny_text()
    losses(model, range(3))
    state = copy.deepcopy(model.state_dict())
    half = tiny_text().half()
    half.set_num_updates(3)
    half.load_state_dict(copy.deepcopy(state))
    for key, value in half.state_dict()["encoder._ema"].items():
        assert torch.equal(value, state["encoder._ema"][key]), key


def test_stock_roberta_takes_the_checkpoint() -> None:
    """fairseq's own GLUE recipes restore our checkpoints into its `roberta`, which renames before it loads."""
    roberta: Any = ARCH_MODEL_REGISTRY["roberta_base"]
    sizes = {"encoder_layers": 3, "encoder_embed_dim": DIM, "encoder_ffn_embed_dim": 24, "encoder_attention_heads": 4}
    args = Namespace(**sizes, tokens_per_sample=32, max_positions=32, activation_fn="gelu")
    model = roberta.build_model(args, SimpleNamespace(source_dictionary=dictionary()))
    saved = tiny_text()
    saved.set_num_updates(0)
    state = saved.state_dict()
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=True)
    ours, theirs = saved.eval().extract_features(whole())[0], model.eval()(whole(), features_only=True)[0]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
