"""The meme MLP against recorded values: pooling, scores, loss, training steps by three optimisers, metrics, sizes."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable

import pytest
import torch
from parity.cases import Case, below, error, folders
from safetensors.torch import load_file

from data2vec_plugin.criterions.meme_metrics import average_precision, best, checked, meme_scores, smoothed
from data2vec_plugin.criterions.meme_score import MemeScoreConfig, MemeScoreCriterion
from data2vec_plugin.multimodal.meme_mlp import ScoreMLP, masked_mean

CASES = folders("mm_meme_*")
FORWARD, METRIC, STEPS = 1e-5, 1e-6, 1e-5
OPTIMISERS: Dict[str, Callable[[Iterable[Any]], torch.optim.Optimizer]] = {
    "adam_lr1e-3": lambda parameters: torch.optim.Adam(parameters, 1e-3),
    "adam_lr1e-1": lambda parameters: torch.optim.Adam(parameters, 1e-1),
    "sgd_lr1e-2_m0.9": lambda parameters: torch.optim.SGD(parameters, 1e-2, momentum=0.9),
}


def recorded(case: Case) -> tuple[Dict[str, Any], Dict[str, torch.Tensor]]:
    return case.json("config"), load_file(case.folder / "tensors.safetensors")


def started(config: Dict[str, Any], tensors: Dict[str, torch.Tensor]) -> ScoreMLP:
    model = ScoreMLP(config["image_dim"] + config["text_dim"], config["hidden"], config["dropout"])
    model.load_state_dict(below("w0.", tensors), strict=True)
    return model


def mean_loss(config: Dict[str, Any], scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return MemeScoreCriterion(MemeScoreConfig(loss=config["loss"]), None).mean_loss(scores, labels)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_pooling_scores_and_loss(case: Case) -> None:
    config, tensors = recorded(case)
    hidden, lengths = tensors["in.text_hidden"], tensors["in.text_lengths"]
    padding = torch.arange(hidden.size(1)) >= lengths.unsqueeze(1)
    pooled = masked_mean(hidden, padding)
    features = torch.cat([tensors["in.image_features"], pooled], dim=1)
    with torch.no_grad():
        scores = started(config, tensors).eval()(features)
    loss = mean_loss(config, scores, tensors["in.labels"])
    ours = {
        "out.text_mean_masked": pooled,
        "out.features": features,
        "out.scores": scores,
        f"out.{config['loss']}": loss,
    }
    compared = [name for name in ours if name in tensors]
    assert "out.scores" in compared
    assert {
        name: error(ours[name], tensors[name]) for name in compared if error(ours[name], tensors[name]) > FORWARD
    } == {}
    found = meme_scores(scores.tolist(), tensors["in.labels"].tolist())
    assert found["accuracy"] == pytest.approx(float(tensors["out.accuracy"]), abs=METRIC)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_padding_that_counts_is_what_was_released(case: Case) -> None:
    _, tensors = recorded(case)
    hidden, lengths = tensors["in.text_hidden"], tensors["in.text_lengths"]
    released, padded = tensors["out.text_mean_over_padded_length"], lengths < hidden.size(1)
    assert error(hidden.mean(1), released) <= FORWARD
    assert padded.any()
    assert error(released[padded], tensors["out.text_mean_masked"][padded]) > 1e-2


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recorded_steps_of_training(case: Case) -> None:
    config, tensors = recorded(case)
    tried = 0
    for name in config["runs"]:
        if name not in OPTIMISERS:
            continue
        tried += 1
        model = started(config, tensors).train()
        optimizer, losses = OPTIMISERS[name](model.parameters()), []
        for _ in range(len(tensors[f"{name}.losses"])):
            optimizer.zero_grad()
            loss = mean_loss(config, model(tensors["out.features"]), tensors["in.labels"])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        assert error(torch.stack(losses), tensors[f"{name}.losses"]) <= STEPS, name
        expected = below(f"{name}.w{len(losses)}.", tensors)
        wrong = {key: error(value, expected[key]) for key, value in model.state_dict().items()}
        assert {key: value for key, value in wrong.items() if value > STEPS} == {}, name
    assert tried


@pytest.mark.parametrize("case", CASES, ids=str)
def test_metrics(case: Case) -> None:
    _, tensors = recorded(case)
    meta, curve = case.json("meta"), tensors["in.accuracy_curve"].tolist()
    assert best(curve) == pytest.approx(meta["max_accuracy"], abs=METRIC)
    for factor, expected in meta["smoothed_max_accuracy"].items():
        ours = smoothed(curve, float(factor))
        assert ours == pytest.approx(tensors[f"out.smoothed_{factor}"].tolist(), abs=METRIC)
        assert best(ours) == pytest.approx(expected, abs=METRIC)
    scores = checked(tensors["in.ap_scores"].numpy(), tensors["in.ap_labels"].numpy())
    assert average_precision(*scores) == pytest.approx(meta["average_precision"], abs=METRIC)


def test_parameters_are_as_many_as_recorded() -> None:
    entries = next(iter(folders("mm_param_counts"))).json("expected")["meme_mlp"]
    for entry in entries:
        model = ScoreMLP(entry["image"] + entry["text"], entry["hidden"])
        assert sum(parameter.numel() for parameter in model.parameters()) == entry["parameters"], entry
    assert {entry["parameters"] for entry in entries} >= {496_701, 245_851, 163_901, 79_451}
