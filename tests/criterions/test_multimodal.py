"""Losses against their formulas, and metrics of the set, however it is cut into batches and ranks."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
import torch.nn.functional as F
from fairseq import metrics

from data2vec_plugin.criterions.multimodal_emotion import MultimodalEmotionConfig, MultimodalEmotionCriterion
from data2vec_plugin.criterions.multimodal_metrics import emotion_scores, sentiment_scores
from data2vec_plugin.criterions.multimodal_regression import MultimodalRegressionConfig, MultimodalRegressionCriterion

EMOTIONS = ["neutral", "happy", "sad", "angry"]
SHARES = [954 / 2717, 338 / 2717, 690 / 2717, 735 / 2717]


class Outputs(torch.nn.Module):
    """A model that has its outputs as its only weights."""

    def __init__(self, values: torch.Tensor) -> None:
        super().__init__()
        self.values = torch.nn.Parameter(values)

    def forward(self) -> torch.Tensor:
        return self.values


def regression(**settings: Any) -> MultimodalRegressionCriterion:
    return MultimodalRegressionCriterion(MultimodalRegressionConfig(**settings), SimpleNamespace(emotions=[]))


def emotion(weights: str = "none", shares: Any = SHARES) -> MultimodalEmotionCriterion:
    task = SimpleNamespace(emotions=EMOTIONS, positive_shares=lambda: shares)
    return MultimodalEmotionCriterion(MultimodalEmotionConfig(class_weights=weights), task)


def sample(target: torch.Tensor) -> Dict[str, Any]:
    return {"net_input": {}, "target": target, "ntokens": len(target)}


def validated(criterion: Any, outputs: torch.Tensor, targets: torch.Tensor, cuts: List[int]) -> Dict[str, float]:
    """What is logged of a set in batches of ``cuts`` samples, the first two being of two ranks."""
    metrics.reset()
    logs = [criterion(Outputs(x).eval(), sample(y))[2] for x, y in zip(outputs.split(cuts), targets.split(cuts))]
    with metrics.aggregate(new_root=True) as found:
        type(criterion).reduce_metrics(logs[:2])
        for log in logs[2:]:
            type(criterion).reduce_metrics([log])
    return found.get_smoothed_values()


@pytest.mark.parametrize(("name", "loss"), [("smooth_l1", F.smooth_l1_loss), ("l1", F.l1_loss), ("mse", F.mse_loss)])
def test_losses_and_their_norm(name: str, loss: Any) -> None:
    torch.manual_seed(0)
    outputs, targets = 3 * torch.randn(6, 1), torch.randn(6)
    expected = loss(outputs[:, 0], targets)
    for norm, scale in ((False, 1.0), (True, 1 / float(expected))):
        model = Outputs(outputs.clone())
        total, count, log = regression(loss=name, loss_norm=norm)(model, sample(targets))
        (total / count).backward()
        plain = torch.autograd.functional.jacobian(lambda x: loss(x[:, 0], targets), outputs)
        assert torch.allclose(model.values.grad, plain * scale, atol=1e-6)
        assert float(log["loss"]) == pytest.approx(float(expected) * 6)  # what is logged is not normalised
        assert "predictions" not in log


def test_a_loss_of_zero_has_a_gradient_of_zero() -> None:
    model = Outputs(torch.ones(3, 1))
    total, _, _ = regression()(model, sample(torch.ones(3)))
    total.backward()
    assert float(total) == 0
    assert not model.values.grad.any()


def test_sentiment_is_that_of_the_set_and_not_a_mean_over_batches() -> None:
    torch.manual_seed(1)
    outputs, targets = torch.randn(11, 1) * 2, (torch.randn(11) * 2).clamp(-3, 3)
    expected = sentiment_scores(outputs[:, 0].tolist(), targets.tolist())
    for cuts in ([11], [4, 4, 2, 1], [1] * 11):
        found = validated(regression(), outputs, targets, cuts)
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-4)
        assert found["loss"] == pytest.approx(float(F.smooth_l1_loss(outputs[:, 0], targets)), abs=1e-4)


def test_emotions_are_those_of_the_set() -> None:
    torch.manual_seed(2)
    outputs, targets = torch.randn(9, 8), torch.randint(0, 2, (9, 4))
    expected = emotion_scores(outputs.tolist(), targets.tolist(), EMOTIONS)
    for cuts in ([9], [4, 4, 1]):
        found = validated(emotion(), outputs, targets, cuts)
        assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_emotions_weigh_alike_or_by_the_published_shares() -> None:
    torch.manual_seed(3)
    outputs, targets = torch.randn(5, 8), torch.randint(0, 2, (5, 4))
    logits = outputs.view(5, 4, 2)
    total, count, _ = emotion()(Outputs(outputs), sample(targets))
    assert float(total / count) == pytest.approx(float(F.cross_entropy(logits.reshape(-1, 2), targets.reshape(-1))))
    total, count, _ = emotion("inverse")(Outputs(outputs), sample(targets))
    losses = [
        F.cross_entropy(logits[:, place], targets[:, place], weight=torch.tensor([share, 1 - share]))
        for place, share in enumerate(SHARES)
    ]
    assert float(total / count) == pytest.approx(float(sum(losses)) / 4, rel=1e-6)


def test_criterion_and_target_must_fit() -> None:
    with pytest.raises(ValueError, match=r"multimodal_emotion, but `task\.target` is regression"):
        MultimodalEmotionCriterion(MultimodalEmotionConfig(), SimpleNamespace(emotions=[]))
    with pytest.raises(ValueError, match=r"multimodal_regression, but `task\.target` is emotions"):
        MultimodalRegressionCriterion(MultimodalRegressionConfig(), SimpleNamespace(emotions=EMOTIONS))
    with pytest.raises(ValueError, match=r"`criterion\.loss` is 'l3'"):
        regression(loss="l3")
    with pytest.raises(ValueError, match=r"`criterion\.class_weights` is 'some'"):
        emotion("some")
    with pytest.raises(ValueError, match="requires two classes and a training set"):
        emotion("inverse", None)(Outputs(torch.randn(2, 8)), sample(torch.zeros(2, 4, dtype=torch.long)))
