"""Block masks: the recorded statistics, and what must hold for every mask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data2vec_plugin.core.masks.block_masking import BlockMaskConfig, BlockMasker

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures" / "parity" / "masks.json").read_text("utf-8"))


def run_lengths(row: np.ndarray) -> np.ndarray:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return np.asarray(edges[1::2] - edges[::2])


@pytest.mark.parametrize("case", RECORDED["vision_v1_make_mask"], ids=lambda case: case["what"])
def test_statistics_are_those_of_the_reference(case: Dict[str, Any]) -> None:
    config = BlockMaskConfig(case["num_masks"], case["min_masks"], case["max_masks"])
    masker = BlockMasker(config, 14, 14)
    masks = np.stack([masker.sample(np.random.default_rng((7, i))).reshape(-1) for i in range(1600)])
    counts = masks.sum(1)
    assert counts.mean() / 196 == pytest.approx(case["fraction_mean"], abs=1e-3)
    assert counts.max() == case["masked_per_row_max"]
    assert counts.min() == pytest.approx(case["masked_per_row_min"], abs=4)
    assert (counts / 196).std() == pytest.approx(case["fraction_std_over_rows"], rel=0.2)
    assert np.concatenate([run_lengths(row) for row in masks]).mean() == pytest.approx(
        case["run_length_mean"], rel=0.03
    )
    by_tenth = [float(part.mean()) for part in np.array_split(masks, 10, axis=1)]
    assert by_tenth == pytest.approx(case["position_probability_by_tenth"], abs=0.04)
    ends = masks[:, [0, 98, 195]].mean(0)
    assert ends == pytest.approx(case["position_probability_first_middle_last"], abs=0.05)


configs = st.builds(
    lambda patches, least, more: BlockMaskConfig(patches, least, least + more),
    st.integers(1, 300),
    st.integers(1, 60),
    st.integers(0, 200),
)


@settings(max_examples=150, deadline=None)
@given(config=configs, rows=st.integers(1, 16), columns=st.integers(2, 16), seed=st.integers(0, 99))
def test_something_is_hidden_and_something_is_seen(config: BlockMaskConfig, rows: int, columns: int, seed: int) -> None:
    mask = BlockMasker(config, rows, columns).sample(np.random.default_rng(seed))
    assert mask.shape == (rows, columns)
    assert mask.dtype == bool
    assert 1 <= mask.sum() <= min(config.patches, mask.size - 1)


def test_the_generator_alone_decides() -> None:
    masker = BlockMasker(BlockMaskConfig(), 14, 14)
    first, again, other = (masker.sample(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_patches_come_in_blocks() -> None:
    """Neighbours share their fate far more often than patches drawn one by one would."""
    mask = np.stack([BlockMasker(BlockMaskConfig(), 14, 14).sample(np.random.default_rng(i)) for i in range(50)])
    assert (mask[:, 1:] == mask[:, :-1]).mean() > 0.8


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"patches": 0}, "patches"),
        ({"min_patches": 0}, "min_patches"),
        ({"max_patches": 15}, "max_patches"),
        ({"min_aspect": 0.0}, "min_aspect"),
    ],
)
def test_settings_that_cannot_mask_are_refused(settings: Dict[str, Any], key: str) -> None:
    with pytest.raises(ValueError, match=f"`{key}`.*expected"):
        BlockMaskConfig(**settings)


@pytest.mark.parametrize(("patches", "share"), [(190, "96.9"), (300, "153"), (1, "0.51")])
def test_a_share_that_cannot_be_learned_from_is_refused(patches: int, share: str) -> None:
    masker = BlockMasker(BlockMaskConfig(patches, 1, 1), 14, 14)
    with pytest.raises(ValueError, match=rf"`patches` is {patches} of 14 x 14 .* {share} % .* 1 to 95 %"):
        masker.check_share()
    BlockMasker(BlockMaskConfig(120), 14, 14).check_share()


def test_a_single_patch_cannot_be_masked() -> None:
    with pytest.raises(ValueError, match=r"`grid` is 1 x 1 patches, .* expected at least two"):
        BlockMasker(BlockMaskConfig(), 1, 1)
