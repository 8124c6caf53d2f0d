"""Metrics of sentiment and emotions against recorded values, and over whole sets rather than batches."""

from __future__ import annotations

import numpy as np
import pytest
from parity.cases import folders
from safetensors.torch import load_file

from data2vec_plugin.criterions.multimodal_metrics import (
    emotion_names,
    emotion_scores,
    sentiment_names,
    sentiment_scores,
    weighted_f1,
)

LIMIT = 1e-6
CASES = folders("mm_metrics*")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recorded_sentiment(case) -> None:
    tensors, expected = load_file(case.folder / "tensors.safetensors"), case.json("expected")
    for name in case.json("config")["mosi"]:
        ours = sentiment_scores(tensors[f"{name}.preds"].numpy(), tensors[f"{name}.truth"].numpy())
        assert list(ours) == list(sentiment_names())
        renamed = {{"corr": "pearson"}.get(key, key): value for key, value in expected[name].items()}
        assert ours == pytest.approx(renamed, abs=LIMIT)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_recorded_emotions(case) -> None:
    tensors, expected = load_file(case.folder / "tensors.safetensors"), case.json("expected")
    emotions = case.json("config")["iemocap_order"]
    ours = emotion_scores(tensors["iemocap.logits"].numpy(), tensors["iemocap.labels"].numpy(), emotions)
    assert sorted(ours) == sorted(emotion_names(emotions))
    for emotion, scores in expected["iemocap"].items():
        found = {"accuracy": ours[f"accuracy_{emotion}"], "f1_weighted": ours[f"f1_{emotion}"]}
        assert found == pytest.approx(scores, abs=LIMIT)


def test_f1_is_scikit_learns_weighted_one() -> None:
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 4, 50), rng.integers(0, 5, 50)
    assert weighted_f1(found, truth) == pytest.approx(f1_score(truth, found, average="weighted", zero_division=0))


def test_a_constant_prediction_has_no_correlation_and_no_neutral_sample_is_no_error() -> None:
    scores = sentiment_scores([0.5, 0.5], [0.0, 0.0])
    assert scores["pearson"] == scores["acc2_pos"] == scores["f1_pos"] == 0.0
    assert scores["acc2_nonneg"] == 1.0


def test_as_many_predictions_as_labels() -> None:
    with pytest.raises(ValueError, match=r"got \(2,\) predictions for \(3,\) labels"):
        sentiment_scores([1.0, 2.0], [1.0, 2.0, 3.0])
