"""Targets: each normalisation against torch on unpadded input, and padded = alone for all of them."""

from __future__ import annotations

import itertools
from typing import Callable, Dict, List

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from data2vec_plugin.core.config import TargetConfig
from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.objective.targets import average_targets, rows_suffice, whole_targets
from data2vec_plugin.core.objective.terms import Average, Step
from data2vec_plugin.core.reference import ReferenceAverage

Normalise = Callable[[Tensor], Tensor]

# what each key does to (B, T, C), in the order of application
PER_LAYER: Dict[str, Normalise] = {
    "batch_norm": lambda x: F.batch_norm(x.transpose(1, 2), None, None, training=True).transpose(1, 2),
    "instance_norm": lambda x: F.instance_norm(x.transpose(1, 2)).transpose(1, 2),
    "group_norm": lambda x: F.layer_norm(x, x.shape[-2:]),
    "layer_norm": lambda x: F.layer_norm(x, x.shape[-1:]),
}
AVERAGED: Dict[str, Normalise] = {
    "layer_norm_average": lambda x: F.layer_norm(x, x.shape[-1:]),
    "instance_norm_average": lambda x: F.instance_norm(x.transpose(1, 2)).transpose(1, 2),
}
KEYS = [*PER_LAYER, *AVERAGED]
COMBINATIONS = [dict(zip(KEYS, values)) for values in itertools.product([False, True], repeat=len(KEYS))]
B, T, C = 3, 11, 6


def signals(count: int = 3) -> List[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(B, T, C) * 3 + torch.randn(1, 1, C) for _ in range(count)]


def name(settings: Dict[str, bool]) -> str:
    return "+".join(key for key, wanted in settings.items() if wanted) or "none"


def wanted_targets(layers: List[Tensor], settings: Dict[str, bool]) -> Tensor:
    for key, normalise in PER_LAYER.items():
        layers = [normalise(layer) if settings[key] else layer for layer in layers]
    average = torch.stack(layers).mean(0)
    for key, normalise in AVERAGED.items():
        average = normalise(average) if settings[key] else average
    return average


@pytest.mark.parametrize("settings", COMBINATIONS, ids=name)
def test_normalisations_are_torchs(settings: Dict[str, bool]) -> None:
    layers, positions = signals(), torch.tensor([0, 4, 12, 30])
    ours = average_targets(layers, TargetConfig(top_k=2, **settings), positions)
    torch.testing.assert_close(
        ours, wanted_targets(layers[-2:], settings).reshape(-1, C)[positions], rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("settings", [s for s in COMBINATIONS if not s["batch_norm"]], ids=name)
def test_padded_row_has_the_targets_of_the_same_row_alone(settings: Dict[str, bool]) -> None:  # B31
    layers, length = signals(), 7
    padding_mask = torch.zeros(B, T, dtype=torch.bool)
    padding_mask[1, length:] = True
    config = TargetConfig(top_k=3, **settings)
    padded = average_targets(layers, config, torch.arange(T, T + length), padding_mask)
    alone = average_targets([layer[1:2, :length] for layer in layers], config, torch.arange(length))
    torch.testing.assert_close(padded, alone, rtol=1e-5, atol=1e-5)


def test_batch_norm_leaves_padding_out() -> None:  # B31
    layers = signals(1)
    padding_mask = torch.zeros(B, T, dtype=torch.bool)
    padding_mask[1, 7:] = True
    real = layers[0][~padding_mask]
    positions = torch.arange(B * T)[~padding_mask.reshape(-1)]
    ours = average_targets(layers, TargetConfig(top_k=1, batch_norm=True), positions, padding_mask)
    torch.testing.assert_close(ours, F.batch_norm(real, None, None, training=True), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("key", ["instance_norm", "batch_norm", "instance_norm_average"])
def test_reference_counts_padding_in(key: str) -> None:  # B31
    padding_mask = torch.zeros(B, T, dtype=torch.bool)
    padding_mask[1, 7:] = True
    config = TargetConfig(top_k=2, **{key: True})
    positions = torch.arange(T, T + 7)
    step = Step(Mask(padding_mask, positions), (torch.zeros(7, C),), signals(), padding_mask)
    ours, theirs = (kind(config).at_masked(step) for kind in (Average, ReferenceAverage))
    torch.testing.assert_close(theirs, average_targets(signals(), config, positions))
    torch.testing.assert_close(ours, average_targets(signals(), config, positions, padding_mask))
    assert (ours - theirs).abs().max() > 0.01


@pytest.mark.parametrize("settings", COMBINATIONS)
def test_all_positions_at_once_are_the_same_targets(settings: Dict[str, bool]) -> None:
    padding_mask = torch.zeros(B, T, dtype=torch.bool)
    padding_mask[1, 7:] = True
    config = TargetConfig(top_k=2, **settings)
    whole = whole_targets(signals(), config, padding_mask)
    masked = average_targets(signals(), config, torch.arange(B * T), padding_mask)
    torch.testing.assert_close(whole.reshape(-1, C), masked)


def test_copies_of_a_mask_share_their_targets() -> None:
    """Row r of a mask in two copies is of row r // 2 of the input."""
    config, indices = TargetConfig(top_k=2, instance_norm=True), torch.rand(2 * B, T) < 0.4
    mask = Mask.given(indices)
    step = Step(mask, (torch.zeros(mask.count, C),), signals(), copies=2)
    whole = whole_targets(signals(), config).repeat_interleave(2, 0)
    assert torch.equal(Average(config).at_masked(step), whole[indices])


@pytest.mark.parametrize(("group", "instance"), [(True, False), (False, True), (True, True)])
def test_reference_axes_run_over_the_batch(group: bool, instance: bool) -> None:  # B22, B32
    """The reference normalises (T, B, C) as if it were (B, T, C) where nothing made it transpose."""
    layers = signals()
    settings = {**dict.fromkeys(KEYS, False), "group_norm": group, "instance_norm_average": instance}
    slipped = wanted_targets([layer.transpose(0, 1) for layer in layers], settings).transpose(0, 1).reshape(-1, C)
    everywhere = torch.arange(B * T)
    ours = average_targets(layers, TargetConfig(top_k=3, reference_axes=True, **settings), everywhere)
    torch.testing.assert_close(ours, slipped, rtol=1e-5, atol=1e-5)
    right = average_targets(layers, TargetConfig(top_k=3, **settings), everywhere)
    assert (right - slipped).abs().max() > 0.1


def test_only_the_top_layers_count() -> None:
    layers = signals(4)
    everywhere, config = torch.arange(B * T), TargetConfig(top_k=2)
    torch.testing.assert_close(
        average_targets(layers, config, everywhere), average_targets(layers[2:], config, everywhere)
    )


def test_statistics_of_half_precision_signals_are_taken_in_fp32() -> None:
    layers = [layer.half() * 1000 for layer in signals()]
    ours = average_targets(layers, TargetConfig(top_k=3, instance_norm=True), torch.arange(B * T))
    assert ours.dtype == torch.float32
    assert torch.isfinite(ours).all()


def test_unknown_signal_and_no_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="`signal` is 'norm'"):
        TargetConfig(signal="norm")
    with pytest.raises(ValueError, match="`top_k` is 0"):
        TargetConfig(top_k=0)


@pytest.mark.parametrize("settings", COMBINATIONS, ids=name)
def test_rows_suffice_where_no_statistic_runs_over_time(settings: Dict[str, bool]) -> None:
    config, rows = TargetConfig(top_k=2, **settings), torch.tensor([0, 4, 17, 31])
    over_time = any(wanted and "layer_norm" not in key for key, wanted in settings.items())
    assert rows_suffice(config) is not over_time
    if not over_time:
        ours = average_targets([signal.flatten(0, 1)[rows] for signal in signals()], config, rows)
        torch.testing.assert_close(ours, average_targets(signals(), config, rows))
