"""Biases of attention by distance against the recorded ones, and what extra tokens, scales and limits do to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from data2vec_plugin.core.config import SettingError
from data2vec_plugin.core.outputs import Tokens
from data2vec_plugin.core.positions.alibi import Alibi, AlibiConfig, AlibiPositions, head_slopes
from data2vec_plugin.core.positions.order import NoPositions

RECORDED = load_file(Path(__file__).resolve().parents[2] / "fixtures" / "parity" / "positions" / "expected.safetensors")


def tokens(count: int, **settings: Any) -> Tokens:
    return Tokens(torch.zeros(2, count, 8), **settings)


@pytest.mark.parametrize("name", [name for name in RECORDED if "heads" in name])
def test_biases_are_the_recorded_ones(name: str) -> None:
    wanted = RECORDED[name]
    distance = name.split(".")[1] if name.startswith("2d") else "manhattan"
    columns = round(wanted.size(-1) ** 0.5) if name.startswith("2d") else None
    alibi = Alibi(AlibiConfig(len(wanted), len(wanted), columns, distance))
    (bias,) = alibi(tokens(wanted.size(-1)))
    torch.testing.assert_close(bias[0], wanted)


def test_visible_tokens_keep_their_distances() -> None:
    alibi = Alibi(AlibiConfig(4, 4))
    order = torch.tensor([[0, 2, 5], [1, 3, 4]])
    (whole,), (some,) = alibi(tokens(6)), alibi(tokens(3, order=order))
    for row in range(2):
        torch.testing.assert_close(some[row], whole[0][:, order[row]][:, :, order[row]])


def test_extra_tokens_and_further_heads_have_none() -> None:
    alibi = Alibi(AlibiConfig(4, 2, learned=True, per_head=True))
    (bias,) = alibi(tokens(5, extra=2))
    assert bias.shape == (1, 4, 5, 5)
    assert not bias[:, 2:].any()
    assert not bias[:, :, :2].any()
    assert not bias[:, :, :, :2].any()
    assert bool(bias[:, :2, 2, 3].all())


def test_scales_of_layers_multiply_their_own_and_are_never_negative() -> None:
    alibi = Alibi(AlibiConfig(2, 2, learned=True, layers=3))
    with torch.no_grad():
        alibi.alibi_scale.copy_(torch.tensor([1.0, 3.0, -1.0]).view(3, 1, 1, 1, 1))
    first, second, third = alibi(tokens(4))
    torch.testing.assert_close(second, 3 * first)  # type: ignore[arg-type, operator]
    assert not third.any()  # type: ignore[union-attr]


def test_learned_biases_begin_as_slopes_and_end_at_their_limit() -> None:
    plain, learned = Alibi(AlibiConfig(2, 2)), Alibi(AlibiConfig(2, 2, longest=6))
    torch.testing.assert_close(learned(tokens(5))[0], plain(tokens(5))[0])
    assert isinstance(learned.alibi_bias, nn.Parameter)
    with pytest.raises(ValueError, match="7 tokens, but this model learned attention biases for 6 positions"):
        AlibiPositions(NoPositions(), learned).added(torch.zeros(1, 7, 4), None)  # however few of them are visible


def test_positions_add_their_signal_beside() -> None:
    positions = AlibiPositions(NoPositions(), Alibi(AlibiConfig(2, 2)))
    x = torch.randn(1, 3, 8)
    assert torch.equal(positions.added(x, None), x)
    assert positions.biases(tokens(3), [])[0] is not None
    assert AlibiPositions(NoPositions()).biases(tokens(3), []) == (None,)


def test_slopes_of_powers_of_two() -> None:
    assert head_slopes(4) == [2**-2, 2**-4, 2**-6, 2**-8]


@pytest.mark.parametrize("settings", [{"distance": "far"}, {"biased": 5}, {"biased": 0}])
def test_settings_that_cannot_be(settings: Any) -> None:
    with pytest.raises(SettingError):
        AlibiConfig(**{"heads": 4, "biased": 4, **settings})
