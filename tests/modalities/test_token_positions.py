"""Positions of tokens: they count on over padding, and the fixed table is the recorded one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fairseq.modules import SinusoidalPositionalEmbedding
from fairseq.utils import make_positions
from safetensors.torch import load_file

from data2vec_plugin.modalities.token_positions import LearnedPositions, SinusoidalPositions, position_ids, sinusoids

RECORDED = Path(__file__).parents[1] / "fixtures" / "parity" / "positions" / "expected.safetensors"
PAD = 1


@pytest.mark.parametrize(
    "row", [[5, 6, 7, 8], [5, 6, PAD, PAD], [PAD, PAD, 5, 6], [5, PAD, 6, PAD]], ids=["full", "right", "left", "holes"]
)
def test_positions_pass_over_padding(row: list[int]) -> None:
    source = torch.tensor([row, [5, 6, 7, 8]])
    numbers = position_ids(source, source.eq(PAD), PAD)
    assert torch.equal(numbers, make_positions(source, PAD))
    assert (numbers[source.eq(PAD)] == PAD).all()
    assert numbers[0][source[0].ne(PAD)].tolist() == list(range(PAD + 1, PAD + 1 + int(source[0].ne(PAD).sum())))


@pytest.mark.parametrize("pad", [0, 1, 5])
def test_without_padding_one_row_of_numbers_serves_all(pad: int) -> None:
    source = torch.full((3, 4), 9)
    numbers = position_ids(source, None, pad)
    assert numbers.shape == (1, 4)
    assert torch.equal(numbers.expand(3, 4), position_ids(source, source.eq(pad), pad))


def test_sinusoidal_table_is_the_recorded_one() -> None:
    recorded = load_file(RECORDED)["sinusoidal.dim16.pad1"]
    torch.testing.assert_close(sinusoids(12, 16, PAD), recorded, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dim", [2, 7, 16])
def test_sinusoidal_table_is_fairseqs(dim: int) -> None:
    if dim > 2:  # for two channels fairseq divides by nought
        theirs = SinusoidalPositionalEmbedding.get_embedding(20, dim, PAD)
        torch.testing.assert_close(sinusoids(20, dim, PAD), theirs, rtol=1e-6, atol=1e-6)
    assert sinusoids(20, dim, PAD).shape == (20, dim)
    assert (sinusoids(20, dim, PAD)[PAD] == 0).all()
    assert (sinusoids(20, dim)[PAD] != 0).any()


def test_sinusoidal_positions_are_no_weights() -> None:
    module = SinusoidalPositions(10, 16, PAD)
    assert not module.state_dict()
    assert not list(module.parameters())
    assert torch.equal(module(torch.tensor([[2, 3, PAD]]))[0, 2], torch.zeros(16))
    assert module.table.shape == (12, 16)


def test_learned_positions_have_upstreams_size_and_a_zero_for_padding() -> None:
    module = LearnedPositions(512, 4, PAD)
    assert module.weight.shape == (514, 4)
    assert (module(torch.tensor([PAD])) == 0).all()
