"""Span masks: the recorded exact ones, what must hold for every mask, and the reference's faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_plugin.core.config import SpanMaskConfig
from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.masks.masking import (
    SpanMasker,
    batch_generators,
    check_hides,
    hashed_row_generator,
    row_generator,
    span_mask,
)

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures" / "parity" / "masks.json").read_text("utf-8"))
EXACT = {name: case for name, case in RECORDED["exact_examples"].items() if isinstance(case, dict)}


def recorded_config(case: Dict[str, Any]) -> SpanMaskConfig:
    return SpanMaskConfig(
        prob=case["mask_prob"],
        length=case["mask_length"],
        min_masks=case.get("min_masks", 0),
        same_share=case["require_same_masks"],
        grow=case.get("add_masks", False),
        dropout=case.get("mask_dropout", 0.0),
    )


def generators(count: int, seed: int = 0) -> List[np.random.Generator]:
    return [np.random.default_rng((seed, row)) for row in range(count)]


def runs(row: np.ndarray) -> List[int]:
    """Lengths of the stretches of masked positions."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return list(edges[1::2] - edges[::2])


@pytest.mark.parametrize("name", EXACT)
def test_recorded_masks_bit_for_bit(name: str) -> None:
    case = EXACT[name]
    rngs = [hashed_row_generator(case["seed"], case["epoch"], index) for index in case["indices"]]
    mask = span_mask([case["T"]] * case["B"], case["T"], recorded_config(case), rngs)
    assert ["".join(str(int(hit)) for hit in row) for row in mask] == case["rows"]


@pytest.mark.parametrize("case", RECORDED["compute_mask_indices"], ids=lambda case: case["what"])
def test_statistics_are_those_of_the_reference(case: Dict[str, Any]) -> None:
    sizes = case["lengths"] or [case["T"]] * case["B"]
    config = recorded_config(case)
    masks = [
        span_mask(sizes, case["T"], config, generators(case["B"], seed), trim_to_count=True) for seed in range(200)
    ]
    shares = np.array([[row.sum() / size for row, size in zip(mask, sizes)] for mask in masks])
    # the rows of a batch are trimmed to one count, hence one independent value a batch
    wanted, spread = case["fraction_mean"], shares.mean(1).std() + 1e-9
    assert shares.mean() == pytest.approx(wanted, abs=5 * np.sqrt(2) * spread / np.sqrt(len(masks)))
    assert shares.std() == pytest.approx(case["fraction_std_over_rows"], rel=0.2)
    assert shares.min() >= case["fraction_min"] - 0.06
    assert shares.max() <= case["fraction_max"] + 0.06
    lengths = [length for mask in masks for row in mask for length in runs(row)]
    assert np.mean(lengths) == pytest.approx(case["run_length_mean"], rel=0.1)
    by_tenth = [float(part.mean()) for part in np.array_split(np.concatenate(masks), 10, axis=1)]
    assert by_tenth == pytest.approx(case["position_probability_by_tenth"], abs=0.05)


configs = st.builds(
    SpanMaskConfig,
    prob=st.floats(0.01, 3),
    length=st.integers(1, 15),
    selection=st.sampled_from(["static", "uniform", "normal", "poisson"]),
    other=st.just(2.0) | st.just(0.0),
    min_masks=st.integers(0, 2),
    no_overlap=st.booleans(),
    min_space=st.integers(0, 3),
    same_share=st.booleans(),
    grow=st.booleans(),
    dropout=st.sampled_from([0.0, 0.3]),
).filter(lambda config: config.selection != "uniform" or config.other <= 2 * config.length)


@settings(max_examples=150, deadline=None)
@given(config=configs, sizes=st.lists(st.integers(0, 80), min_size=1, max_size=5), seed=st.integers(0, 2**20))
def test_no_row_is_hidden_whole_or_beyond_its_end(config: SpanMaskConfig, sizes: List[int], seed: int) -> None:
    width = max(sizes) + 3
    for trim in (False, True):
        mask = span_mask(sizes, width, config, generators(len(sizes), seed), trim_to_count=trim)
        assert mask.shape == (len(sizes), width)
        for row, size in zip(mask, sizes):
            assert not row[size:].any()
            assert row.sum() <= max(size - 1, 0)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_span_longer_than_the_row_leaves_one_position(size: int) -> None:  # B10
    config = SpanMaskConfig(3.0, 10, min_masks=2, same_share=False)
    assert {int(span_mask([size], size, config, generators(1, seed)).sum()) for seed in range(20)} == {size - 1}


@settings(max_examples=60, deadline=None)
@given(config=configs, size=st.integers(2, 80), rows=st.integers(1, 5), seed=st.integers(0, 2**20))
def test_rows_of_equal_size_mask_equally_many(config: SpanMaskConfig, size: int, rows: int, seed: int) -> None:
    mask = span_mask([size] * rows, size, config, generators(rows, seed))
    assert len({int(row.sum()) for row in mask}) == 1 or not config.same_share


@pytest.mark.parametrize("selection", ["static", "uniform", "normal", "poisson"])  # B9
@pytest.mark.parametrize("space", [1, 4])
def test_spans_that_may_not_overlap_stay_apart(selection: str, space: int) -> None:
    config = SpanMaskConfig(0.5, 8, selection, other=4, no_overlap=True, min_space=space, same_share=False)
    for seed in range(50):
        row = span_mask([200], 200, config, generators(1, seed))[0]
        assert all(gap >= space for gap in runs(~row)[1 if not row[0] else 0 : None if row[-1] else -1])
        if selection == "static":
            assert set(runs(row)) == {8}


@pytest.mark.parametrize(("selection", "other", "low", "high"), [("uniform", 2, 2, 20), ("normal", 2, 1, 20)])
def test_span_lengths_vary_within_their_distribution(selection: str, other: float, low: int, high: int) -> None:  # B9
    config = SpanMaskConfig(0.3, 10, selection, other=other, no_overlap=True, same_share=False)
    lengths = [run for seed in range(60) for run in runs(span_mask([400], 400, config, generators(1, seed))[0])]
    assert low <= min(lengths) < 8
    assert 12 < max(lengths) <= high
    assert np.mean(lengths) == pytest.approx(11 if selection == "uniform" else 10, abs=1)


def test_long_rows_are_masked_as_much_as_short_ones() -> None:  # B8
    sizes, config = [1500, 700, 200], SpanMaskConfig(0.65, 10, min_masks=1)
    masks = {trim: span_mask(sizes, 1500, config, generators(3), trim_to_count=trim) for trim in (False, True)}
    shares = {trim: [row.sum() / size for row, size in zip(mask, sizes)] for trim, mask in masks.items()}
    assert max(shares[False]) - min(shares[False]) < 0.01
    assert min(shares[False]) > 0.35
    assert shares[True][0] < 0.1 < 0.35 < shares[True][2]  # what the reference does


@pytest.mark.parametrize("size", [9, 10, 11])
def test_clips_of_about_one_span_can_be_masked(size: int) -> None:  # B10
    config = SpanMaskConfig(0.65, 10, min_masks=1)
    for seed in range(200):
        row = span_mask([size], size, config, generators(1, seed))[0]
        assert 0 < row.sum() < size


def test_a_row_too_short_for_a_mask_does_not_unmask_the_others() -> None:
    mask = span_mask([1, 100], 100, SpanMaskConfig(0.65, 10, min_masks=1), generators(2))
    assert mask[0].sum() == 0
    assert mask[1].sum() > 20


def test_probability_zero_is_no_mask() -> None:
    assert not span_mask([100], 100, SpanMaskConfig(0.0, 10, min_masks=1), generators(1)).any()


def test_a_sample_has_its_mask_whatever_the_batch_is() -> None:
    config = SpanMaskConfig(0.65, 10, same_share=False)
    together = span_mask([90, 100], 100, config, [row_generator(1, 2, index) for index in (3, 4)])
    alone = span_mask([100], 100, config, [row_generator(1, 2, 4)])
    assert np.array_equal(together[1], alone[0])
    assert not np.array_equal(alone, span_mask([100], 100, config, [row_generator(1, 3, 4)]))


def test_masks_without_ids_follow_the_seed_of_torch() -> None:
    def drawn() -> List[float]:
        return [rng.random() for rng in batch_generators(3)]

    torch.manual_seed(1)
    first, second = drawn(), drawn()
    torch.manual_seed(1)
    assert drawn() == first
    assert len({*first, *second}) == 6


def test_ranks_draw_different_masks_from_the_same_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    for rank in (0, 1):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda group=None, rank=rank: rank)
        torch.manual_seed(1)  # the trainer seeds every rank alike
        drawn.append(batch_generators(1)[0].random())
    assert drawn[0] != drawn[1]


def test_positions_are_the_flat_indices_of_the_mask() -> None:
    mask = SpanMasker(SpanMaskConfig(0.5, 4)).draw([30, 20], generators(2))
    flat = mask.indices.reshape(-1)
    assert flat[mask.positions].all()
    assert mask.count == int(flat.sum())
    assert torch.equal(mask.positions, mask.positions.sort().values)
    assert Mask.given(mask.indices, mask.positions).positions is mask.positions


def test_one_generator_for_each_row_is_needed() -> None:
    with pytest.raises(ValueError, match=r"`generators`: got 1 for 2 rows"):
        span_mask([10, 10], 10, SpanMaskConfig(), generators(1))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"length": 0}, "length"),
        ({"prob": -0.1}, "prob"),
        ({"dropout": 1.0}, "dropout"),
        ({"selection": "sometimes"}, "selection"),
    ],
)
def test_bad_settings_are_named(settings: Dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match=f"`{field}`"):
        SpanMaskConfig(**settings)


def test_no_two_samples_of_an_epoch_share_a_generator() -> None:
    """Of 50,000; the reference's remainder of floats leaves 20,000 samples 12,473 generators."""
    own = {row_generator(1, 1, index).bit_generator.random_raw() for index in range(50_000)}
    assert len(own) == 50_000
    hashed = {hashed_row_generator(1, 1, index).bit_generator.random_raw() for index in range(20_000)}
    assert len(hashed) < 15_000


def test_a_copy_is_masked_by_a_generator_of_its_own() -> None:
    drawn = {row_generator(1, 2, 3, copy).random() for copy in range(4)}
    assert len(drawn) == 4
    assert row_generator(1, 2, 3).random() == np.random.default_rng((1, 2, 3, 0)).random()


def test_copies_of_a_row_follow_one_another() -> None:
    masker = SpanMasker(SpanMaskConfig(0.5, 4, same_share=False))
    rngs = [row_generator(1, 1, index, copy) for index in (0, 1) for copy in range(3)]
    mask = masker.draw([30, 20], rngs, copies=3)
    assert mask.indices.shape == (6, 30)
    assert not mask.indices[3:, 20:].any()
    alone = masker.draw([20], [row_generator(1, 1, 1, 2)], width=30)
    assert torch.equal(mask.indices[5], alone.indices[0])
    with pytest.raises(ValueError, match="`generators`: got 2 for 6 rows"):
        masker.draw([30, 20], rngs[:2], copies=3)


@settings(max_examples=80, deadline=None)
@given(sizes=st.lists(st.integers(2, 12), min_size=1, max_size=4), seed=st.integers(0, 2**20))
def test_dropout_leaves_a_masked_row_masked(sizes: List[int], seed: int) -> None:
    config = SpanMaskConfig(0.2, 2, min_masks=1, same_share=False, dropout=0.95)
    mask = span_mask(sizes, max(sizes), config, generators(len(sizes), seed))
    assert mask.any(axis=1).all()


def test_a_batch_in_which_nothing_is_masked_says_why() -> None:
    nothing = Mask.given(torch.zeros(3, 9, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"nothing is masked.* 3 rows of at most 9 tokens: .*set the masked share"):
        check_hides(nothing, None)
    padded = torch.arange(9).expand(3, 9) >= 1
    with pytest.raises(ValueError, match=r"3 rows of at most 1 tokens: .* at least two.*leave out shorter rows"):
        check_hides(nothing, padded)
    with pytest.raises(ValueError, match=r"0 rows of at most 9 tokens: a row needs at least two"):
        check_hides(Mask.given(torch.zeros(0, 9, dtype=torch.bool)), None)
    check_hides(Mask.given(torch.ones(1, 2, dtype=torch.bool)), None)
