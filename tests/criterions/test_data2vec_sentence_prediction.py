"""Criterion `data2vec_sentence_prediction`: GLUE's metrics over the whole set, by the labels' names."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fairseq import metrics
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.data import Dictionary

from data2vec_plugin.criterions.data2vec_sentence_prediction import (
    Data2VecSentencePredictionCriterion,
    SentencePredictionCriterionConfig,
)

SIZES = [8, 8, 8, 3]
Batch = Tuple[torch.Tensor, torch.Tensor]


class FakeModel:
    """Gives the logits it was made with; fairseq's models find the targets in the sample."""

    def __init__(self, logits: torch.Tensor, training: bool = False) -> None:
        self.logits, self.training = logits, training

    def __call__(self, features_only: bool, classification_head_name: str, **net_input: Any) -> Any:
        assert features_only
        assert classification_head_name == "sentence_classification_head"
        return self.logits, {}

    def get_targets(self, sample: Dict[str, Any], net_output: Any) -> Any:
        return sample["target"]


def labels(*names: str) -> Dictionary:
    """label/dict.txt as `fairseq-preprocess` writes it: the most frequent label first, filled up at the end."""
    dictionary = Dictionary()
    for name in names:
        dictionary.add_symbol(name)
    return dictionary


def criterion(names: Tuple[str, ...] = ("1", "0"), **settings: Any) -> Data2VecSentencePredictionCriterion:
    cfg = SentencePredictionCriterionConfig(**settings)
    return Data2VecSentencePredictionCriterion(cfg, SimpleNamespace(label_dictionary=labels(*names)))


def logs(
    made: Data2VecSentencePredictionCriterion, batches: List[Batch], training: bool = False
) -> List[Dict[str, Any]]:
    return [
        made(FakeModel(logits, training), {"net_input": {}, "target": target.view(-1, 1), "ntokens": 5})[2]
        for logits, target in batches
    ]


def validated(outputs: List[Dict[str, Any]]) -> Dict[str, float]:
    """As fairseq's trainer does in a validation: every batch in an aggregate of its own inside the set's."""
    with metrics.aggregate(new_root=True) as aggregate:
        for log in outputs:
            with metrics.aggregate() as of_batch:
                Data2VecSentencePredictionCriterion.reduce_metrics([log])
            of_batch.get_smoothed_values()
    return aggregate.get_smoothed_values()


def classified(seed: int = 0) -> List[Batch]:
    """A classifier that is right more often than not, of a class that is seen more often than not."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for size in SIZES:
        target = (torch.rand(size, generator=generator) > 0.7).long()
        batches.append((F.one_hot(target, 2) + 0.8 * torch.randn(size, 2, generator=generator), target))
    return batches


def regressed(seed: int = 0) -> List[Batch]:
    generator = torch.Generator().manual_seed(seed)
    targets = [torch.rand(size, generator=generator) * 5 for size in SIZES]
    return [((t + torch.randn(len(t), generator=generator)).exp().view(-1, 1), t) for t in targets]


def together(batches: List[Batch], names: Tuple[str, ...]) -> Tuple[List[str], List[str]]:
    """(labels, predictions) of the whole set, by name."""
    targets = torch.cat([target for _, target in batches]).tolist()
    chosen = torch.cat([logits.argmax(1) for logits, _ in batches]).tolist()
    return [names[index] for index in targets], [names[index] for index in chosen]


def test_registered_under_its_name() -> None:
    assert CRITERION_REGISTRY["data2vec_sentence_prediction"] is Data2VecSentencePredictionCriterion


@pytest.mark.parametrize("names", [("0", "1"), ("1", "0")])
def test_classification_is_scored_over_the_whole_set(names: Tuple[str, ...]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    batches = classified()
    targets, chosen = together(batches, names)
    values = validated(logs(criterion(names, report_mcc=True, report_acc_and_f1=True), batches))
    accuracy = 100 * np.mean(np.array(targets) == np.array(chosen))
    f1 = 100 * sklearn.f1_score(targets, chosen, pos_label="1")
    assert values["accuracy"] == pytest.approx(accuracy, abs=0.006)
    assert values["mcc"] == pytest.approx(100 * sklearn.matthews_corrcoef(targets, chosen), abs=0.006)
    assert values["f1"] == pytest.approx(f1, abs=0.006)  # of label "1", whichever number it has
    assert values["acc_and_f1"] == pytest.approx((accuracy + f1) / 2, abs=0.006)
    of_batches = [sklearn.matthews_corrcoef(*together([batch], names)) for batch in batches]
    assert abs(100 * np.mean(of_batches) - values["mcc"]) > 1


def test_regression_is_scored_over_the_whole_set() -> None:
    stats = pytest.importorskip("scipy.stats")
    batches = regressed()
    values = validated(logs(criterion(regression_target=True, report_pearson_and_spearman=True), batches))
    targets = torch.cat([target for _, target in batches]).numpy()
    chosen = torch.cat([prediction.view(-1) for prediction, _ in batches]).numpy()
    pearson, spearman = (100 * measure(chosen, targets)[0] for measure in (stats.pearsonr, stats.spearmanr))
    assert values["pearson"] == pytest.approx(pearson, abs=0.006)
    assert values["spearman"] == pytest.approx(spearman, abs=0.006)
    assert values["pearson_and_spearman"] == pytest.approx((pearson + spearman) / 2, abs=0.006)
    assert abs(pearson - spearman) > 1
    assert "accuracy" not in values


def test_loss_is_in_bits_for_classes_and_squares_for_numbers() -> None:
    batches = classified()
    logits, targets = (torch.cat(parts) for parts in zip(*batches))
    bits = float(F.cross_entropy(logits, targets)) / np.log(2)
    assert validated(logs(criterion(), batches))["loss"] == pytest.approx(bits, abs=0.001)
    numbers = regressed()
    predictions, targets = (torch.cat(parts) for parts in zip(*numbers))
    squares = float(F.mse_loss(predictions.view(-1), targets))
    assert validated(logs(criterion(regression_target=True), numbers))["loss"] == pytest.approx(squares, rel=1e-3)


def test_ranks_are_put_together() -> None:
    made = criterion(report_mcc=True)
    outputs = logs(made, classified())
    assert not made.logging_outputs_can_be_summed()
    with metrics.aggregate(new_root=True) as aggregate:
        Data2VecSentencePredictionCriterion.reduce_metrics(outputs[:2])
        Data2VecSentencePredictionCriterion.reduce_metrics(outputs[2:])
    assert aggregate.get_smoothed_values() == validated(outputs)


def test_one_validation_knows_nothing_of_the_last() -> None:
    made = criterion(report_mcc=True)
    first = validated(logs(made, classified(1)))
    assert validated(logs(made, classified(2))) != first
    assert validated(logs(made, classified(1))) == first


def test_training_keeps_no_predictions() -> None:
    outputs = logs(criterion(report_mcc=True), classified(), training=True)
    assert not any("predictions" in log for log in outputs)
    assert set(validated(outputs)) == {"loss", "accuracy"}


def test_what_is_not_asked_for_is_not_reported() -> None:
    assert set(validated(logs(criterion(), classified()))) == {"loss", "accuracy"}
    assert {"mcc"} == set(validated(logs(criterion(report_mcc=True), classified()))) - {"loss", "accuracy"}


def test_constant_predictions_score_nought(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("sklearn")
    constant = [(torch.tensor([[1.0, 0.0]]).expand(len(target), 2), target) for _, target in classified()]
    values = validated(logs(criterion(("0", "1"), report_mcc=True, report_acc_and_f1=True), constant))
    assert (values["mcc"], values["f1"]) == (0, 0)
    assert values["acc_and_f1"] == pytest.approx(values["accuracy"] / 2, abs=0.01)
    flat = [(torch.ones(len(target), 1), target) for _, target in regressed()]
    values = validated(logs(criterion(regression_target=True, report_pearson_and_spearman=True), flat))
    assert (values["pearson"], values["spearman"], values["pearson_and_spearman"]) == (0, 0, 0)
    assert [record.getMessage()[:24] for record in caplog.records].count("all predictions or all t") >= 1


@pytest.mark.filterwarnings("error::UserWarning")
def test_a_batch_of_one_is_no_cause_for_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    single = [(logits[:1], target[:1]) for logits, target in classified()]
    validated(logs(criterion(report_mcc=True, report_acc_and_f1=True), single))
    batches = [(logits[:1], target[:1]) for logits, target in regressed()]
    values = validated(logs(criterion(regression_target=True, report_pearson_and_spearman=True), batches))
    assert values["pearson"] != 0
    assert not caplog.records


def test_f1_is_that_of_one_label_against_all_others() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    names = ("0", "2", "1")
    batches = [(torch.randn(len(t), 3, generator=torch.Generator().manual_seed(len(t))), t) for _, t in classified()]
    targets, chosen = together(batches, names)
    wanted = sklearn.f1_score(targets, chosen, labels=["1"], average="macro", zero_division=0)
    values = validated(logs(criterion(names, report_acc_and_f1=True), batches))
    assert values["f1"] == pytest.approx(100 * wanted, abs=0.006)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"report_pearson_and_spearman": True}, r"`criterion\.report_pearson_and_spearman` needs numbers"),
        ({"report_mcc": True, "regression_target": True}, r"`criterion\.report_mcc` needs labels"),
        ({"report_acc_and_f1": True, "regression_target": True}, r"`criterion\.report_acc_and_f1` needs labels"),
        ({"report_acc_and_f1": True, "names": ("yes", "no")}, r"F1 of label '1', which .*it has yes, no"),
    ],
)
def test_metrics_that_these_targets_do_not_have_are_refused(settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        criterion(**settings)
