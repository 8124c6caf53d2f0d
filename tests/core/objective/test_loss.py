"""The regression loss against torch, and the deviation that tells a collapse."""

from __future__ import annotations

import math
from functools import partial
from typing import Optional

import pytest
import torch
import torch.nn.functional as F

from data2vec_plugin.core.objective.loss import mean_deviation, regression_loss, regression_rows
from data2vec_plugin.criterions.variances import deviation_from_sums


@pytest.mark.parametrize("beta", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("scale", [None, 3.0])
def test_loss_is_torchs_times_its_scale(beta: float, scale: Optional[float]) -> None:
    torch.manual_seed(0)
    predictions, targets = torch.randn(7, 16), torch.randn(7, 16)
    plain = partial(F.smooth_l1_loss, beta=beta) if beta else F.mse_loss
    wanted = plain(predictions, targets, reduction="sum") * (1 / math.sqrt(16) if scale is None else scale)
    torch.testing.assert_close(regression_loss(predictions, targets, beta, scale), wanted)
    torch.testing.assert_close(
        regression_rows(predictions, targets, beta), plain(predictions, targets, reduction="none").sum(-1)
    )


def test_loss_is_taken_in_fp32() -> None:
    predictions, targets = torch.full((4, 8), 300.0).half(), torch.zeros(4, 8).half()
    loss = regression_loss(predictions, targets)  # the squares leave fp16's range
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)


def test_deviation_is_the_mean_over_channels() -> None:
    torch.manual_seed(0)
    rows = torch.randn(50, 6) * torch.arange(1, 7) + 3
    wanted = torch.sqrt(rows.var(0) + 1e-6).mean()
    torch.testing.assert_close(mean_deviation(rows), wanted, rtol=1e-5, atol=0)
    batches = rows.split([20, 30])
    sums, squares = sum(b.sum(0) for b in batches), sum(b.square().sum(0) for b in batches)
    torch.testing.assert_close(deviation_from_sums(sums, squares, 50), wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize("count", [0, 1])
def test_deviation_of_fewer_than_two_rows_is_zero(count: int) -> None:
    assert mean_deviation(torch.ones(count, 3)) == 0
