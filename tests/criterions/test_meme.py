"""Losses against their formulas, metrics of the set however it is cut, against scikit-learn's."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from criterions.test_multimodal import Outputs, sample, validated

from data2vec_plugin.criterions.meme_metrics import (
    average_precision,
    checked,
    confusion,
    meme_scores,
    precision_recall,
    smoothed,
)
from data2vec_plugin.criterions.meme_score import MemeScoreConfig, MemeScoreCriterion, scores_of


def criterion(**keys: Any) -> MemeScoreCriterion:
    return MemeScoreCriterion(MemeScoreConfig(**keys), SimpleNamespace())


@pytest.mark.parametrize(("name", "loss"), [("mse", F.mse_loss), ("bce", F.binary_cross_entropy_with_logits)])
def test_losses(name: str, loss: Any) -> None:
    torch.manual_seed(0)
    outputs, targets = torch.randn(7), torch.randint(0, 2, (7,)).float()
    total, count, log = criterion(loss=name)(Outputs(outputs), sample(targets))
    assert float(total) / count == pytest.approx(float(loss(outputs, targets)))
    assert "predictions" not in log
    with pytest.raises(ValueError, match=r"`criterion\.loss` is 'l1'"):
        criterion(loss="l1")


@pytest.mark.parametrize("name", ["mse", "bce"])
@pytest.mark.parametrize("cuts", [[11], [4, 4, 2, 1], [1] * 11])
def test_metrics_are_those_of_the_set(name: str, cuts: list[int]) -> None:
    torch.manual_seed(1)
    outputs, targets = torch.randn(11), torch.randint(0, 2, (11,)).float()
    expected = meme_scores(scores_of(outputs, name), targets.tolist())
    found = validated(criterion(loss=name), outputs, targets, cuts)
    assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-4)


def test_a_logit_above_zero_means_one() -> None:
    assert meme_scores(scores_of([0.1, -0.1], "bce"), [1, 0])["accuracy"] == 1
    assert meme_scores(scores_of([0.1, -0.1], "mse"), [1, 0])["accuracy"] == 0.5


def test_precision_and_recall_are_scikit_learns() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for count, digits in ((50, 8), (50, 1), (2, 0)):  # with ties, too
        scores, labels = rng.normal(0.5, 1, count).round(digits), np.arange(count) % 2
        ours, theirs = checked(scores, labels)
        assert average_precision(ours, theirs) == pytest.approx(metrics.average_precision_score(labels, scores))
        precision, recall, _ = metrics.precision_recall_curve(labels, scores)
        found = precision_recall(ours, theirs)
        assert np.allclose(found[0], precision[:-1][::-1])
        assert np.allclose(found[1], recall[:-1][::-1])
        assert confusion(ours, theirs) == metrics.confusion_matrix(labels, scores > 0.5).tolist()


def test_sets_without_a_class_or_a_sample() -> None:
    assert meme_scores([0.2, 0.9], [0, 0]) == {"accuracy": 0.5, "average_precision": 0}
    assert meme_scores([0.2, 0.9], [1, 1])["average_precision"] == 1
    for scores, labels in (([], []), ([0.1], [0, 1])):
        with pytest.raises(ValueError, match="expected the same number of both"):
            meme_scores(scores, labels)


def test_smoothing_weighs_no_past_that_is_not_there() -> None:
    assert smoothed([0.7], 0.9) == pytest.approx([0.7])
    assert smoothed([0.5] * 9, 0.6) == pytest.approx([0.5] * 9)
    assert smoothed([0.2, 0.8], 0) == [0.2, 0.8]
    with pytest.raises(ValueError, match=r"`smoothing` is 1; expected 0 or more, and less than 1"):
        smoothed([0.5], 1)
