"""Every recorded value of `vision_classification`, and what is right where upstream is not."""

from __future__ import annotations

from typing import Any, Dict

import pytest
import torch
from fairseq.models import build_model
from omegaconf import OmegaConf
from parity.cases import FORWARD, Case, below, cases, differences, gradient_differences

from data2vec_plugin.models.classification.mixing import soft_cross_entropy

CASES = [
    case
    for case in cases("vision_*", "pretraining")
    if case.json("config")["model"]["_name"] == "data2vec_image_classification"
]


def classifier(case: Case, **keys: Any) -> Any:
    """The recorded model, which read its encoder's configuration from a checkpoint."""
    config = case.json("config")
    args = {"model": config["pretrained_model_args"]["model"]}
    section = {**config["model"], "pretrained_model_args": args, "image_size": None, **keys}
    model = build_model(OmegaConf.create(section), None)
    state: Dict[str, Any] = case.tensors("state")
    model.load_state_dict(state, strict=True)
    return model


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_recorded_value(case: Case) -> None:
    inputs, expected = case.tensors("inputs"), case.tensors("expected")
    model = classifier(case, reference_compat=True).eval()
    found = {"features.x": model.model.extract_features(inputs["img"])["x"], "eval.logits": model(inputs["img"])}
    patches = found["features.x"]
    found["pooled_reference"], found["pooled_all_patches"] = patches[:, 1:].mean(1), patches.mean(1)
    evaluated = model(inputs["img"], inputs["label"])
    found["eval.loss_vector"] = evaluated["losses"]["regression"]
    found["eval.correct"], found["eval.sample_size"] = evaluated["correct"], torch.tensor(evaluated["sample_size"])
    found["eval.logits_all_patches"] = classifier(case).eval()(inputs["img"])
    trained = model.train()(inputs["img"], inputs["label"])
    found["train.loss_vector"] = trained["losses"]["regression"]
    log_probs = torch.log_softmax(model(inputs["img"]), dim=-1)
    found["mixup.loss_elements"] = -inputs["soft_label"] * log_probs
    torch.testing.assert_close(
        soft_cross_entropy(model(inputs["img"]), inputs["soft_label"]), found["mixup.loss_elements"].sum(-1)
    )
    recorded = {key: value for key, value in expected.items() if key.startswith(("grad.", "grad_norm."))}
    assert set(found) == set(expected) - set(recorded)
    assert not list(differences(found, expected, FORWARD))
    assert not list(gradient_differences(gradients(model, found["train.loss_vector"].sum()), recorded))


def gradients(model: Any, loss: torch.Tensor) -> Dict[str, torch.Tensor]:
    """``grad.NAME`` and ``grad_norm.NAME`` under upstream's names."""
    loss.backward()
    found = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}
    model.model.layout.to_upstream(found, "model.")
    found = {name: value for name, value in found.items() if value.is_floating_point()}
    norms = {f"grad_norm.{name}": value.norm() for name, value in found.items()}
    return {**{f"grad.{name}": value for name, value in found.items()}, **norms}


OF_MULTI = [
    case
    for case in cases("v2_*", "pretraining")
    if case.json("config")["model"].get("_name") == "mae_image_classification"
]
MODES = ("MEAN_POOLING", "CLS_TOKEN", "LIN_SOFTMAX")
MODES_RECORDED = [
    (case, mode) for case in OF_MULTI for mode in MODES if f"{mode.lower()}.logits" in case.tensors("expected")
]


def mae_classifier(case: Case, **keys: Any) -> Any:
    """The recorded model on data2vec 2.0."""
    config = case.json("config")
    encoder = {**config["pretrained_model_args"]["model"], "reference_compat": True}
    section = {**config["model"], "pretrained_model_args": {"model": encoder}, **keys}
    model = build_model(OmegaConf.create(section), None)
    state: Dict[str, Any] = case.tensors("state")
    model.upgrade_state_dict(state)
    model.load_state_dict(state, strict=True)
    return model


@pytest.mark.parametrize(("case", "mode"), MODES_RECORDED, ids=str)
def test_every_recorded_value_of_data2vec_2(case: Case, mode: str) -> None:
    inputs, expected = case.tensors("inputs"), below(f"{mode.lower()}.", case.tensors("expected"))
    model = mae_classifier(case, prediction_mode=mode).eval()
    found = {"logits": model(inputs["img"])}
    evaluated = model(imgs=inputs["img"], labels=inputs["label"])
    found["eval.loss_vector"], found["eval.correct"] = evaluated["losses"]["regression"], evaluated["correct"]
    trained = model.train()(imgs=inputs["img"], labels=inputs["label"])
    found["train.loss_vector"] = trained["losses"]["regression"]
    recorded = {key: value for key, value in expected.items() if key.startswith(("grad.", "grad_norm."))}
    assert set(found) == set(expected) - set(recorded)
    assert not list(differences(found, expected, FORWARD))
    assert len(recorded) > 20
    assert not list(gradient_differences(gradients(model, found["train.loss_vector"].sum()), recorded))


@pytest.mark.parametrize("case", OF_MULTI, ids=str)
def test_what_data2vec_2_shares_among_modes(case: Case) -> None:
    inputs, expected = case.tensors("inputs"), case.tensors("expected")
    model = mae_classifier(case)
    elements = -inputs["soft_label"] * torch.log_softmax(model(inputs["img"]), -1)
    soft = soft_cross_entropy(model(inputs["img"]), inputs["soft_label"])
    torch.testing.assert_close(soft, elements.sum(-1))
    features = model.eval().model.extract_features(inputs["img"], remove_extra_tokens=False)["x"]
    found = {"mixup.loss_elements": elements, "features.x": features}
    assert not list(differences({key: found[key] for key in found if key in expected}, expected, FORWARD))
    written, state = model.state_dict(), case.tensors("state")
    assert set(written) == set(state)
    assert all(torch.equal(written[name], value) for name, value in state.items())


@pytest.mark.parametrize("case", OF_MULTI, ids=str)
def test_layers_learn_at_the_recorded_rates(case: Case) -> None:
    """Weight decay, too; upstream's own optimizer heeds the rates alone."""
    model = mae_classifier(case)
    rules = model.update_rules()
    found = {name: torch.tensor([[rule.lr_scale, rule.decays]] * 3) for name, rule in rules.items()}
    model.model.layout.to_upstream(found, "model.")
    recorded = case.json("config")["optim_overrides"]
    wanted = {name: [each.get("lr_scale", 1.0), each.get("weight_decay_scale", 1)] for name, each in recorded.items()}
    assert set(wanted) <= set(found)
    assert all(found[name][0].tolist() == [1, found[name][0, 1]] for name in set(found) - set(wanted))
    for name, value in wanted.items():
        assert found[name][0].tolist() == pytest.approx(value), name


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_state_is_written_under_upstreams_names(case: Case) -> None:
    written, state = classifier(case).state_dict(), case.tensors("state")
    assert set(written) == set(state)
    assert all(torch.equal(written[name], value) for name, value in state.items())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_patch_is_left_out(case: Case) -> None:  # B4
    img = case.tensors("inputs")["img"]
    right, compat = (classifier(case, reference_compat=compat).eval()(img) for compat in (False, True))
    assert not torch.allclose(right, compat)
