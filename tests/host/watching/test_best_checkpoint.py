"""Which way a metric is better, and what is said of a run that has it the wrong way round."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from data2vec_plugin.criterions.accuracy import COUNTS
from data2vec_plugin.criterions.glue_metrics import NAMES
from data2vec_plugin.host.watching.best_checkpoint import better_when_higher, kept_the_wrong_way

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
OURS = [*COUNTS.values(), *(name for names in NAMES.values() for name in names)]


def fault(metric: str, maximize: bool) -> str | None:
    keys = {"best_checkpoint_metric": metric, "maximize_best_checkpoint_metric": maximize}
    return kept_the_wrong_way(SimpleNamespace(**keys))


@pytest.mark.parametrize("metric", [*OURS, "accuracy5", "top5", "Accuracy", "F1", "mcc"])
def test_accuracies_and_correlations_are_better_when_higher(metric: str) -> None:
    assert better_when_higher(metric) is True
    assert fault(metric, maximize=True) is None
    message = fault(metric, maximize=False) or ""
    assert f"`checkpoint.best_checkpoint_metric={metric}`, which is better when it is higher" in message
    assert message.endswith("Add `checkpoint.maximize_best_checkpoint_metric=true`")


@pytest.mark.parametrize("metric", ["loss", "nll_loss", "ppl", "wer", "raw_wer", "uer"])
def test_losses_and_error_rates_are_better_when_lower(metric: str) -> None:
    assert fault(metric, maximize=False) is None
    message = fault(metric, maximize=True) or ""
    assert "which is better when it is lower" in message
    assert message.endswith("Add `checkpoint.maximize_best_checkpoint_metric=false`")


@pytest.mark.parametrize("metric", ["target_var", "error_top5", "stop", "former"])
def test_nothing_is_said_of_what_is_not_known(metric: str) -> None:
    assert fault(metric, maximize=True) is fault(metric, maximize=False) is None


def test_the_recipes_keep_their_best_one() -> None:
    sections = [yaml.safe_load(path.read_text("utf-8")).get("checkpoint") or {} for path in CONFIGS.glob("*.yaml")]
    chosen = [section for section in sections if "best_checkpoint_metric" in section]
    assert chosen
    for section in chosen:
        assert fault(section["best_checkpoint_metric"], section.get("maximize_best_checkpoint_metric", False)) is None
