"""Blocks and single positions that meet their share, against the statistics of the reference's samplers."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest

from data2vec_plugin.core.config import SettingError
from data2vec_plugin.core.masks.exact_masking import ExactMaskConfig, ExactMasker, grow

RECORDED = json.loads((Path(__file__).resolve().parents[2] / "fixtures" / "parity" / "masks.json").read_text("utf-8"))
KINDS = ("compute_block_mask_1d", "compute_block_mask_2d", "random_masking")
CASES = [(kind, case) for kind in KINDS for case in RECORDED[kind]]


def masker(kind: str, case: Dict[str, Any]) -> ExactMasker:
    if kind == "random_masking":
        return ExactMasker(ExactMaskConfig(case["mask_ratio"], 1))
    config = ExactMaskConfig(
        prob=case["mask_prob"],
        length=case["mask_length"],
        adjust=case["mask_prob_adjust"],
        inverse=case["inverse_mask"],
        dropout=case.get("mask_dropout", 0.0),
        adjacent=case.get("expand_adjcent", False),
        separate=case.get("non_overlapping", False),
        same_share=case["require_same_masks"],
    )
    side = int(case["shape"][1] ** 0.5)
    return ExactMasker(config, (side, side) if kind.endswith("2d") else None)


def draw(made: ExactMasker, size: int, rows: int) -> np.ndarray:
    return made.rows([size] * rows, size, [np.random.default_rng((row, 5)) for row in range(rows)])


def runs(row: np.ndarray) -> List[int]:
    return [len(list(group)) for hidden, group in groupby(row) if hidden]


@pytest.mark.parametrize(("kind", "case"), CASES, ids=lambda value: value["what"] if isinstance(value, dict) else value)
def test_statistics_are_the_recorded_ones(kind: str, case: Dict[str, Any]) -> None:  # B6
    size = case["shape"][1]
    rows = draw(masker(kind, case), size, 400)
    shares = rows.mean(1)
    spread = case["fraction_std_over_rows"]
    assert shares.mean() == pytest.approx(case["fraction_mean"], abs=1e-9 + spread / 4)
    assert shares.std() == pytest.approx(spread, abs=1e-9 + spread / 4)
    lengths = [length for row in rows for length in runs(row)]
    assert np.mean(lengths) == pytest.approx(case["run_length_mean"], rel=0.05)
    ends = rows[:, [0, size // 2, -1]].mean(0)
    np.testing.assert_allclose(ends, case["position_probability_first_middle_last"], atol=0.09)


def test_rows_of_different_length_have_their_own_counts() -> None:
    rows = ExactMasker(ExactMaskConfig(0.5, 3)).rows([40, 21, 2, 1], 40, [np.random.default_rng(i) for i in range(4)])
    assert rows.sum(1).tolist() == [20, 10, 1, 0]
    assert not rows[1, 21:].any()


def test_copies_differ_and_follow_their_generators() -> None:
    made = ExactMasker(ExactMaskConfig(0.5, 3))
    rngs = [np.random.default_rng((0, copy)) for copy in range(4)]
    mask = made.draw([30, 30], rngs, copies=2).indices
    again = made.draw([30], [np.random.default_rng((0, 3))]).indices
    assert mask.shape == (4, 30)
    assert len({tuple(row.tolist()) for row in mask}) == 4
    assert bool((mask[3] == again[0]).all())


def test_a_share_may_be_drawn_anew_for_each_batch() -> None:
    made = ExactMasker(ExactMaskConfig(0.8, 1, least=0.2))
    shares = {float(draw(made, 100, 1 + seed)[0].mean()) for seed in range(3)}
    other = made.rows([100] * 3, 100, [np.random.default_rng(seed) for seed in range(7, 10)]).mean(1)
    assert len(set(other.tolist())) == 1
    assert all(0.2 <= share <= 0.8 for share in (*shares, *other.tolist()))


def test_a_drawn_share_may_be_very_small() -> None:
    made = ExactMasker(ExactMaskConfig(0.05, 1, least=0.0))
    counts = [int(made.rows([100], 100, [np.random.default_rng(seed)]).sum()) for seed in range(100)]
    assert {1, 5} <= set(counts) <= {1, 2, 3, 4, 5}


def test_growing_goes_ring_by_ring() -> None:
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    grow(mask, 5, np.random.default_rng(0))
    assert mask.sum() == 5
    assert mask[[1, 3, 2, 2], [2, 2, 1, 3]].all()


@pytest.mark.parametrize("settings", [{"prob": 0.0}, {"prob": 1.0}, {"length": 0}, {"dropout": 1.0}])
def test_settings_that_cannot_train(settings: Dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        ExactMaskConfig(**settings)


def test_rows_that_do_not_fill_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="got rows of 9 to 9 positions; expected 4 x 4"):
        ExactMasker(ExactMaskConfig(), (4, 4)).draw([9], [np.random.default_rng(0)])
