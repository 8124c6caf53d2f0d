"""Accuracy over the whole set, under our criterion and under fairseq's `model`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from fairseq.criterions import build_criterion
from fairseq.logging import metrics
from omegaconf import OmegaConf
from torch import nn

from data2vec_plugin.criterions.accuracy import log_accuracy
from data2vec_plugin.models.classification.image_classifier import counts, result

TASK = SimpleNamespace(target_dictionary=None)
CLASSES = 8


class Model(nn.Module):
    """Scores are the images themselves."""

    def forward(self, img: torch.Tensor, label: torch.Tensor) -> Dict[str, Any]:
        evaluated = result(img, torch.nn.functional.cross_entropy(img, label, reduction="none"))
        return evaluated if self.training else {**evaluated, **counts(img, label)}


def sample(rows: int, right: int, near: int = 0) -> Dict[str, Any]:
    """``right`` of the rows have their label first, and ``near`` more have it fifth."""
    scores = torch.arange(float(CLASSES)).flip(0).repeat(rows, 1)
    labels = torch.full((rows,), CLASSES - 1)
    labels[:right], labels[right : right + near] = 0, 4
    return {"id": torch.arange(rows), "net_input": {"img": scores, "label": labels}}


def criterion(**section: Any) -> Any:
    return build_criterion(OmegaConf.create(section), TASK)


def evaluated(judge: Any, samples: List[Dict[str, Any]], ranks: int = 1) -> Dict[str, Any]:
    """What a validation reports: every batch, on so many ranks at a time, reduced as fairseq does."""
    model = Model().eval()
    outputs = [judge(model, sample)[2] for sample in samples]
    with metrics.aggregate(new_root=True) as meters:
        for start in range(0, len(outputs), ranks):
            judge.__class__.reduce_metrics(outputs[start : start + ranks])
            log_accuracy(outputs[start : start + ranks])  # our task does so whatever the criterion
    values: Dict[str, Any] = meters.get_smoothed_values()
    return values


OURS = {"_name": "data2vec_image_classification"}
UPSTREAMS = {"_name": "model", "log_keys": ["correct", "correct_top5"]}


@pytest.mark.parametrize("ranks", [1, 3])
@pytest.mark.parametrize("section", [OURS, UPSTREAMS], ids=["ours", "model"])
def test_accuracy_is_that_of_the_set(section: Dict[str, Any], ranks: int) -> None:
    found = evaluated(criterion(**section), [sample(10, 5, 2), sample(10, 10), sample(1, 0)], ranks)
    assert found["accuracy"] == pytest.approx(100 * 15 / 21, abs=1e-3)
    assert found["accuracy_top5"] == pytest.approx(100 * 17 / 21, abs=1e-3)


def test_upstreams_recipe_counts_the_first_only() -> None:
    found = evaluated(criterion(_name="model", log_keys=["correct"]), [sample(4, 3), sample(2, 0)])
    assert found["accuracy"] == 50
    assert "accuracy_top5" not in found


def test_the_loss_is_a_mean_over_images_and_its_gradient_a_sum() -> None:
    judge, batches = criterion(**OURS), [sample(3, 1), sample(1, 0)]
    losses = [Model()(**batch["net_input"])["losses"]["regression"] for batch in batches]
    found = evaluated(judge, batches)
    assert found["loss"] == pytest.approx(float(torch.cat(losses).mean()), abs=1e-3)
    loss, sample_size, logging = judge(Model().train(), batches[0])
    torch.testing.assert_close(loss, losses[0].sum())
    assert sample_size == logging["nsentences"] == 3
    assert "correct" not in logging
    assert judge.logging_outputs_can_be_summed()


def test_a_batch_without_images_is_no_error() -> None:
    log_accuracy([{"correct": 0, "sample_size": 0}])


def test_few_classes_are_all_among_the_first() -> None:
    found = counts(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([0, 0]))
    assert (int(found["correct"]), int(found["correct_top5"])) == (1, 2)
