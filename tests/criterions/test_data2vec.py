"""Criterion `data2vec`: sums, variances over micro-batches and ranks, and the collapse guard."""

from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
import torch
from fairseq import metrics
from fairseq.tasks import FairseqTask

from data2vec_plugin.core.objective.loss import mean_deviation
from data2vec_plugin.criterions.collapse import CollapseError, CollapseGuard, TrivialWatch
from data2vec_plugin.criterions.data2vec import Data2VecCriterion, Data2VecCriterionConfig
from data2vec_plugin.criterions.variances import unexplained_share
from data2vec_plugin.host.training.trainer import Data2VecTrainer
from data2vec_plugin.host.watching.task import WatchedTask


class FakeModel:
    """Gives what a model's border gives, for N rows of its own."""

    training = True

    def __init__(self, rows: torch.Tensor, spread: float = 1.0) -> None:
        self.rows, self.spread = rows, spread

    def __call__(self, **net_input: Any) -> Dict[str, Any]:
        return {
            "losses": {"regression": self.rows.square().sum()},
            "sample_size": len(self.rows),
            "targets": self.rows * self.spread,
            "predictions": self.rows * 0.5 * self.spread,
            "mask_indices": torch.ones(1, 2 * len(self.rows), dtype=torch.bool),
            "ema_decay": 999.0,
            "num_updates": 7,
        }


def criterion(**settings: Any) -> Data2VecCriterion:
    cfg = Data2VecCriterionConfig(min_target_var=0.1, min_pred_var=0.01)
    for name, value in settings.items():
        setattr(cfg, name, value)
    return Data2VecCriterion(cfg, task=None)


def outputs(made: Data2VecCriterion, batches: List[torch.Tensor], spread: float = 1.0) -> List[Dict[str, Any]]:
    sample = {"net_input": {}, "id": torch.arange(3)}
    return [made(FakeModel(rows, spread), sample)[2] for rows in batches]


def reduced(logs: List[Dict[str, Any]]) -> Dict[str, float]:
    with metrics.aggregate(new_root=True) as aggregate:
        Data2VecCriterion.reduce_metrics(logs)
    return aggregate.get_smoothed_values()


def test_variances_are_those_of_all_batches_together() -> None:  # B24
    torch.manual_seed(0)
    batches = [torch.randn(40, 6) + shift for shift in (-3.0, 0.0, 3.0)]
    values = reduced(outputs(criterion(), batches))
    together = float(mean_deviation(torch.cat(batches)))
    alone = float(torch.stack([mean_deviation(rows) for rows in batches]).mean())
    assert values["target_var"] == pytest.approx(together, rel=1e-3)
    assert values["pred_var"] == pytest.approx(together / 2, rel=1e-3)
    assert abs(together - alone) > 1
    assert values["masked_pct"] == pytest.approx(50)


def test_summing_over_ranks_first_changes_nothing() -> None:
    logs = outputs(criterion(), [torch.randn(30, 4), torch.randn(20, 4)])
    summed = {key: sum(log[key] for log in logs) for key in logs[0]}
    assert reduced(logs) == pytest.approx(reduced([summed]), rel=1e-3)


def test_loss_is_divided_by_the_masked_positions_of_all_batches() -> None:
    batches = [torch.full((10, 4), 1.0), torch.full((30, 4), 2.0)]
    assert reduced(outputs(criterion(), batches))["loss"] == pytest.approx((10 * 4 + 30 * 16) / 40, rel=1e-3)


def test_weights_scale_a_loss_and_must_name_it() -> None:
    rows = torch.ones(2, 3)
    sample = {"net_input": {}, "id": torch.arange(1)}
    loss, _, _ = criterion(loss_weights={"regression": 0.5})(FakeModel(rows), sample)
    assert float(loss) == pytest.approx(3)
    with pytest.raises(ValueError, match="no weight for \\['regression'\\]"):
        criterion(loss_weights={"cls": 1.0})(FakeModel(rows), sample)


def test_collapse_stops_the_run_after_its_patience_and_names_the_knob() -> None:
    made = criterion(collapse_start=5, collapse_patience=3)
    flat = outputs(made, [torch.randn(20, 4)], spread=0.01)
    other = criterion(collapse_start=5, collapse_patience=3)
    for _ in range(2):
        made.observe(flat)
    other.observe(flat)  # what one criterion has seen is not another's
    with pytest.raises(CollapseError, match=r"target_var is 0\.\d+, below 0\.1 for 3 updates.*`optimization\.lr`"):
        made.observe(flat)


@pytest.mark.parametrize("ours", [True, False])
def test_it_hears_of_updates_under_tasks_of_ours_and_of_others(ours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """fairseq's trainer hands the logs to the task, which knows the criterion; a stock one knows its class alone."""
    task = (type("Ours", (WatchedTask, FairseqTask), {}) if ours else FairseqTask)(SimpleNamespace())
    made = criterion(collapse_start=5, collapse_patience=3)
    run = Data2VecTrainer.__new__(Data2VecTrainer)
    run.task, run.tpu, run._warn_once = task, False, set()
    monkeypatch.setattr(run, "get_criterion", lambda: made)
    flat = outputs(made, [torch.randn(20, 4)], spread=0.01)
    assert run._reduce_and_log_stats(flat, 20)["target_var"] < 0.1
    run._reduce_and_log_stats(flat, 20)
    with pytest.raises(CollapseError, match="for 3 updates in a row"):
        run._reduce_and_log_stats(flat, 20)


def test_one_good_update_resets_the_patience() -> None:
    guard = CollapseGuard({"target_var": 0.1}, start=0, patience=2)
    for deviation in (0.05, 0.2, 0.05, 0.2):
        guard.observe("target_var", deviation, update=10)
    guard.observe("target_var", 0.05, update=11)
    with pytest.raises(CollapseError):
        guard.observe("target_var", 0.05, update=12)


def test_early_updates_and_a_patience_of_zero_never_stop() -> None:
    guard = CollapseGuard({"pred_var": 0.1}, start=100, patience=1)
    guard.observe("pred_var", 0.0, update=100)
    made = criterion(collapse_start=0, collapse_patience=0)
    for _ in range(5):
        made.observe(outputs(made, [torch.randn(20, 4)], spread=0.0))


def test_targets_that_do_not_vary_early_are_warned_of_once_a_time(caplog: pytest.LogCaptureFixture) -> None:
    made = criterion(collapse_start=100, collapse_patience=3)  # the fake model's update is the seventh
    flat, varied = (outputs(made, [torch.randn(20, 4)], spread=spread) for spread in (0.01, 1.0))
    for logs in [flat] * 2 + [varied] + [flat] * 5:
        made.observe(logs)
    warned = [record.getMessage() for record in caplog.records if "_var is" in record.getMessage()]
    assert len(warned) == 1
    assert warned[0].startswith("target_var is 0.0")
    assert "below 0.1 for 3 updates in a row at update 7; the teacher's targets hardly vary: lower `opt" in warned[0]


def test_predictions_alone_are_not_warned_of_early_and_what_was_early_does_not_count(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = CollapseGuard({"target_var": 0.1, "pred_var": 0.01}, start=100, patience=3)
    for update in range(1, 101):
        guard.observe("target_var", 0.5, update)
        guard.observe("pred_var", 0.005, update)
    assert not caplog.records
    for update in (101, 102):
        guard.observe("pred_var", 0.005, update)
    with pytest.raises(CollapseError, match="predictions are nearly constant"):
        guard.observe("pred_var", 0.005, 103)


def test_trivial_targets_are_warned_of_while_they_last(caplog: pytest.LogCaptureFixture) -> None:
    watch = TrivialWatch(patience=3)
    for update, unexplained in enumerate((0.5, 0.02, 0.02, 0.02, 0.02, 0.5, 0.05)):
        watch.observe(unexplained, update)
    warned = [record.getMessage().split(":")[0] for record in caplog.records]
    assert warned == ["update 1", "update 4", "update 6"]
    assert "98 % of the variance of its targets" in caplog.text


def test_unexplained_is_one_for_the_mean_and_nought_for_the_truth() -> None:
    rows = torch.randn(50, 4)
    sums = (rows.double().sum(0), rows.double().square().sum(0), 50)
    at_mean = (rows - rows.mean(0)).double().square().sum()
    assert unexplained_share(at_mean, *sums) == pytest.approx(1, rel=1e-4)
    assert unexplained_share(torch.tensor(0.0), *sums) == 0
    assert unexplained_share(torch.tensor(0.0), torch.ones(2) * 3, torch.ones(2) * 3, 3) == 1


def test_unexplained_is_logged() -> None:
    # the fake model predicts half of each target: a quarter of the squares is left
    assert reduced(outputs(criterion(), [torch.randn(4000, 4)]))["unexplained"] == pytest.approx(0.25, abs=0.01)
