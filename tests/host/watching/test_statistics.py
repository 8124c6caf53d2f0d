"""Statistics of every task, as people read them."""

from __future__ import annotations

from typing import Any, Dict, List

import pytest

from data2vec_plugin.host.watching.statistics import compared, duration, scores, speed, steps

SPEED = {"wps": 1417.6, "ups": 1.78, "wpb": 796, "bsz": 2, "num_updates": 540, "train_wall": 6, "wall": 399}


@pytest.mark.parametrize(
    ("stats", "shown"),
    [
        (
            {"loss": 4.176, "ntokens": 796, "nsentences": 2, "masked_pct": 49.87, "target_var": 0.7386}
            | {"pred_var": 0.4754, "local_var": 0.68, "unexplained": 0.521, "ema_decay": 999},
            ["loss 4.176", "target var 0.7386", "pred var 0.4754"],
        ),
        (
            {"loss": 2.0, "target_var_AUDIO": 0.7, "pred_var_AUDIO": 0.4, "local_var_AUDIO": 0.6, "ema_decay_AUDIO": 1},
            ["loss 2", "target var AUDIO 0.7", "pred var AUDIO 0.4"],
        ),
        (
            {"loss": 325.376, "nll_loss": 11.7, "uer": 98.198, "wer": 100, "raw_wer": 100, "_w_errors": 3},
            ["loss 325.4", "UER 98.2", "WER 100"],
        ),
        (
            {"loss": 0.0098, "accuracy": 0.97, "accuracy_smoothed": 0.9, "accuracy_smoothed_best": 0.9, "smoothing": 1},
            ["loss 0.0098", "accuracy 0.97", "accuracy smoothed 0.9"],
        ),
        ({"loss": None, "my_metric": 3, "a_name": "x"}, ["my metric 3"]),
    ],
)
def test_what_matters_of_each_task(stats: Dict[str, Any], shown: List[str]) -> None:
    assert scores({**stats, **SPEED}) == shown


def test_the_best_value_of_a_run_is_named() -> None:
    assert scores({"wer": 31.25, "best_wer": 30.0}) == ["WER 31.25 (best 30)"]
    assert scores({"wer": 30.0, "best_wer": 30.0}) == ["WER 30 (best so far)"]
    assert compared(3.0, None) == ""


def test_learning_rate_and_gradient() -> None:
    assert steps({"lr": 5e-4, "gnorm": 1.25}) == ["lr 0.0005", "gnorm 1.25"]
    assert steps({"lr_default": 0.005, "lr_decoder": 1}) == ["lr 0.005"]
    assert steps({"lr": "0.00198683", "gnorm": None}) == ["lr 0.00199"]


def test_speed_and_duration() -> None:
    assert [speed(value) for value in (120.0, 1.5, 0.25)] == ["120 updates/s", "1.5 updates/s", "4 s/update"]
    assert [duration(value) for value in (9, 3599.4, 7200, 90_000)] == ["0:09", "59:59", "2 h 0 min", "1 d 1 h"]
