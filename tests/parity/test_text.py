"""Every recorded value of the `text_*` cases: pre-training, teacher, heads, released checkpoints."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
import torch
import torch.nn.functional as F
from fairseq.checkpoint_utils import load_model_ensemble_and_task
from parity.cases import FORWARD, TEACHER, Case, Tensors, below, cases, differences, gradient_differences
from parity.text_models import features, gradients, load, pretrain, text_model

from data2vec_plugin.core.teacher import FORMAT_KEY, UPDATES_KEY


def pretraining() -> List[Tuple[Case, str]]:
    found = [case for case in cases("text_*", "pretraining") if "criterion" not in case.json("config")]
    return [(case, name) for case in found for name in case.variants()]


def is_gradient(key: str) -> bool:
    return key.startswith(("grad.", "grad_norm."))


def held_against(ours: Tensors, grads: Tensors, expected: Tensors) -> None:
    """Compare everything recorded; nothing recorded may be missing."""
    recorded = {key: value for key, value in expected.items() if is_gradient(key)}
    assert not set(expected) - set(recorded) - set(ours), "recorded, but not measured"
    assert not list(differences(ours, expected, FORWARD))
    assert not list(gradient_differences(grads, recorded))
    surplus = [key for key in grads if key.startswith("grad_norm.") and key not in recorded]
    assert not recorded or not [key for key in surplus if float(grads[key]) > 0]


@pytest.mark.parametrize("compat", [False, True], ids=["default", "reference_compat"])
@pytest.mark.parametrize(("case", "variant"), pretraining(), ids=str)
def test_every_recorded_value(case: Case, variant: str, compat: bool) -> None:
    prefix = f"{variant}." if variant else ""
    inputs, expected, state = (case.tensors(name) for name in ("inputs", "expected", "state"))
    inputs, expected, state = (below(prefix, t) or t for t in (inputs, expected, state))
    overrides = case.variants()[variant]
    statistics = ("instance_norm_target_layer", "batch_norm_target_layer", "instance_norm_targets")
    settings = {**case.json("config")["model"], **overrides}
    if not compat and any(settings[name] for name in statistics):
        pytest.skip("the reference's statistics include padding")
    model = text_model(case, reference_compat=compat, **overrides)
    load(model, state)
    whole = inputs["target_tokens"]
    ours = pretrain(model, {"src_tokens": inputs["src_tokens"], "target_tokens": whole})
    ours.update(features(model, whole))
    held_against(ours, gradients(model, ours["loss.sum"]), expected)


def heads() -> List[Tuple[Case, str]]:
    found = [case for case in cases("text_*", "pretraining") if "criterion" in case.json("config")]
    return [(case, kind) for case in found for kind in ("classification", "regression")]


@pytest.mark.parametrize(("case", "kind"), heads(), ids=str)
def test_heads(case: Case, kind: str) -> None:
    model = text_model(case, load_checkpoint_heads=True)
    load(model, case.tensors("state"))
    assert model.classification_heads is not None
    inputs, expected = case.tensors("inputs"), case.tensors("expected")
    names = {model.classification_heads[name].out_proj.out_features == 1: name for name in model.classification_heads}
    regression = kind == "regression"
    logits, _ = model(inputs["src_tokens"], classification_head_name=names[regression])
    if regression:
        target = inputs["target_regression"].view(-1)
        loss = F.mse_loss(logits.view(-1), target, reduction="sum")
    else:
        target = inputs["target"].view(-1)
        loss = F.cross_entropy(logits, target, reduction="sum")
    ours = {"logits": logits, "loss.sum": loss, "sample_size": torch.tensor(len(target))}
    ours["ncorrect"] = (logits.argmax(1) == target).sum()
    grads = gradients(model, loss)
    held_against(ours, grads, below(f"{kind}.", expected))
    features_x, _ = model.eval()(inputs["src_tokens"], features_only=True)
    assert not list(differences({"features.x": features_x}, expected, FORWARD))


def teachers() -> List[Tuple[Case, str]]:
    return [(case, name) for case in cases("text_*", "ema") for name in case.variants()]


@pytest.mark.parametrize(("case", "variant"), teachers(), ids=str)
def test_teacher_follows_the_recorded_student(case: Case, variant: str) -> None:
    overrides: Dict[str, Any] = case.variants()[variant]
    prefix = f"{variant}." if variant else ""
    inputs, expected = (below(prefix, case.tensors(name)) for name in ("inputs", "expected"))
    model = text_model(case, **overrides)
    teacher = model.method.ensure_teacher()
    initial = below("teacher.0.", expected)
    model.layout.teacher_from_upstream(initial)
    teacher.load_state_dict(initial, fallback_updates=0)
    student = dict(model.method.named_parameters())
    steps = case.json("meta")["steps"]
    for step in steps[variant] if variant else steps:
        moved = below(f"student.{step['step']}.", inputs)
        model.layout.teacher_from_upstream(moved)
        for name, recorded in moved.items():
            if name in student:
                student[name].data.copy_(recorded)
        model.set_num_updates(step["num_updates"])
        state = model.state_dict()["encoder._ema"]
        recorded_teacher = below(f"teacher.{step['step']}.", expected)
        assert set(state) - {UPDATES_KEY, FORMAT_KEY} == set(recorded_teacher) - {"version"}
        assert not list(differences(state, recorded_teacher, TEACHER))
        assert teacher.decay == pytest.approx(float(expected[f"decay.{step['step']}"]), abs=1e-12)


def checkpoints() -> List[Tuple[Case, str]]:
    found = cases("official_style_text*", "official")
    return [(case, path.name) for case in found for path in sorted(case.folder.glob("checkpoint*.pt"))]


@pytest.mark.parametrize(("case", "name"), checkpoints(), ids=str)
def test_released_checkpoint_gives_the_recorded_features(case: Case, name: str) -> None:  # B30
    path = case.folder / name
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(case.folder)})
    ours = features(models[0].float(), case.tensors("inputs")["src_tokens"])
    expected = case.tensors("expected")
    assert set(expected) <= set(ours)
    assert not list(differences(ours, expected, FORWARD))


@pytest.mark.parametrize("case", cases("official_style_text", "official"), ids=str)
def test_released_teacher_is_restored_and_written_again(case: Case) -> None:
    path = case.folder / "checkpoint.pt"
    models, _, _ = load_model_ensemble_and_task([str(path)], arg_overrides={"data": str(case.folder)})
    saved = torch.load(path, map_location="cpu", weights_only=False)
    state = models[0].state_dict()
    assert set(state) == set(saved["model"])
    for key, value in saved["model"]["encoder._ema"].items():
        if key != "version":
            assert torch.equal(state["encoder._ema"][key], value), key
    assert models[0].method.teacher.num_updates == saved["optimizer_history"][-1]["num_updates"] - 1
