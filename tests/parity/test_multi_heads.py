"""Text classifiers on data2vec 2.0 against the recorded case, and speech that is padded and alone."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
import torch
import torch.nn.functional as F
from fairseq.models import build_model
from omegaconf import OmegaConf
from parity.cases import FORWARD, Case, below, cases, differences, error, gradient_differences
from parity.multi_models import TextTask, multi_model
from parity.recorder import gradients
from torch import Tensor


def classifiers() -> List[Tuple[Case, str]]:
    found = [
        case
        for case in cases("v2_*", "pretraining")
        if case.json("config")["model"].get("_name") == "data2vec_text_classification"
    ]
    return [(case, kind) for case in found for kind in ("classification", "regression")]


def classifier(case: Case, compat: bool) -> Any:
    """The recorded model, which read its encoder's configuration from a checkpoint."""
    config, state = case.json("config"), case.tensors("state")
    encoder = {**config["pretrained_model_args"]["model"], "reference_compat": compat}
    section = {**config["model"], "pretrained_model_args": {"model": encoder}}
    model = build_model(OmegaConf.create(section), TextTask(state))
    for name in dict.fromkeys(key.split(".")[1] for key in state if key.startswith("classification_heads.")):
        model.register_classification_head(name, len(state[f"classification_heads.{name}.out_proj.bias"]))
    entries: Dict[str, Any] = dict(state)
    model.upgrade_state_dict(entries)
    model.load_state_dict(entries, strict=True)
    return model


@pytest.mark.parametrize(("case", "kind"), classifiers(), ids=str)
@pytest.mark.parametrize("compat", [False, True])
def test_every_recorded_value(case: Case, kind: str, compat: bool) -> None:
    model, inputs, expected = classifier(case, compat), case.tensors("inputs"), case.tensors("expected")
    outputs = {model.classification_heads[name].out_proj.out_features: name for name in model.classification_heads}
    regression = kind == "regression"
    head = outputs[1] if regression else outputs[max(outputs)]
    sample = {key: inputs[key] for key in ("source", "padding_mask", "id")}
    logits, _ = model.train()(**sample, classification_head_name=head)
    target = inputs["target_regression" if regression else "target"].view(-1)
    if regression:
        loss = F.mse_loss(logits.view(-1), target, reduction="sum")
    else:
        loss = F.cross_entropy(logits, target, reduction="sum")
    ours = {"logits": logits, "loss.sum": loss, "sample_size": torch.tensor(len(target))}
    ours["ncorrect"] = (logits.argmax(1) == target).sum()
    recorded = below(f"{kind}.", expected)
    assert not list(differences({key: ours[key] for key in ours if key in recorded}, recorded, FORWARD))
    norms = {key: value for key, value in recorded.items() if key.startswith(("grad.", "grad_norm."))}
    assert len(norms) > 10
    assert not list(gradient_differences(gradients(model, loss), norms))
    features_x, _ = model.eval()(**sample, features_only=True)
    assert error(unpadded(features_x, inputs), unpadded(expected["features.x"], inputs)) <= FORWARD
    assert torch.equal(features_x, model(src_tokens=inputs["source"])[0])


def unpadded(x: Tensor, inputs: Dict[str, Tensor]) -> Tensor:
    """Rows of (B, T, C) that are no padding."""
    return x[~inputs["padding_mask"]]


def of_padding() -> List[Case]:
    return [case for case in cases("v2_*", "pretraining") if "alone.source" in case.tensors("inputs")]


def encoded(case: Case, compat: bool, part: str) -> Dict[str, Tensor]:
    """What a model gives in evaluation, of the padded batch or of the one alone."""
    model = multi_model(case.json("config")["model"], case.tensors("state"), reference_compat=compat).eval()
    inputs = case.tensors("inputs")
    alone = part == "alone"
    with torch.no_grad():
        source, padding = (inputs["alone.source"], None) if alone else (inputs["source"], inputs["padding_mask"])
        result = model.extract_features(source, padding_mask=padding)
        entered = model.encoder.first_input(model.encoder.embed(source, padding), None)
    layers = {f"features.layer_results.{index}": layer for index, layer in enumerate(result["layer_results"])}
    return {"features.x": result["x"], "context_input": entered.x, **layers}


@pytest.mark.parametrize("case", of_padding(), ids=str)
@pytest.mark.parametrize("part", ["padded", "alone"])
def test_the_leak_of_padding_is_the_recorded_one(case: Case, part: str) -> None:  # B7
    recorded = below(f"{part}.", case.tensors("expected"))
    recorded.pop("frame_padding_mask", None)
    assert not list(differences(encoded(case, True, part), recorded, FORWARD))


@pytest.mark.parametrize("case", of_padding(), ids=str)
def test_padded_is_alone(case: Case) -> None:  # B7
    inputs, recorded = case.tensors("inputs"), below("alone.", case.tensors("expected"))
    alone = inputs["alone.source"]
    row = next(i for i, source in enumerate(inputs["source"]) if torch.equal(source[: alone.size(1)], alone[0]))
    found = encoded(case, False, "padded")
    for name, value in recorded.items():
        assert error(found[name][row, : value.size(1)], value[0]) <= FORWARD, name
