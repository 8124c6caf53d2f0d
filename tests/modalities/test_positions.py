"""Convolutional positions: padded = alone, and the reference's leak on request."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from data2vec_plugin.modalities.positions import ConvPositions

DIM, T, LENGTH = 8, 20, 13


def positions(depth: int, width: int = 15, **settings: bool) -> ConvPositions:
    torch.manual_seed(0)
    return ConvPositions(DIM, width, 2, depth, **settings)


def batch() -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    padding_mask = torch.zeros(2, T, dtype=torch.bool)
    padding_mask[1, LENGTH:] = True
    return torch.randn(2, T, DIM).masked_fill(padding_mask.unsqueeze(-1), 0), padding_mask


def stacked(module: ConvPositions, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
    """Convolve, keep the length, normalise, activate; with a mask silence padding before each."""
    x = x.transpose(1, 2)
    for index, layer in enumerate(module):
        if index and padding_mask is not None:
            x = x.masked_fill(padding_mask.unsqueeze(1), 0)
        conv = layer[0]
        x = F.conv1d(x, conv.weight, conv.bias, padding=conv.kernel_size[0] // 2, groups=2)[..., :T]
        x = F.gelu(F.layer_norm(x.transpose(1, 2), (DIM,)).transpose(1, 2))
    return x.transpose(1, 2)


@pytest.mark.parametrize(("depth", "kernel"), [(5, 3), (3, 5), (2, 7)])
def test_kernels_share_the_width(depth: int, kernel: int) -> None:
    assert [conv[0].kernel_size[0] for conv in positions(depth)] == [kernel] * depth
    assert positions(3, width=24)[0][0].kernel_size[0] == 8


@pytest.mark.parametrize("width", [15, 16, 24])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_padded_utterance_equals_the_same_one_alone(depth: int, width: int) -> None:  # B7
    module, (x, padding_mask) = positions(depth, width), batch()
    together = module(x, padding_mask)
    assert together.shape == x.shape
    torch.testing.assert_close(together[1, :LENGTH], module(x[1:, :LENGTH])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("depth", [2, 5])
def test_reference_silences_padding_once_only(depth: int) -> None:
    x, padding_mask = batch()
    leaky, safe = positions(depth, leaky=True), positions(depth)
    torch.testing.assert_close(leaky(x, padding_mask), stacked(leaky, x))
    torch.testing.assert_close(safe(x, padding_mask), stacked(safe, x, padding_mask))
    assert (leaky(x, padding_mask) - safe(x, padding_mask))[1, :LENGTH].abs().max() > 0.01


def test_single_convolution_is_weight_normalised_and_can_be_copied() -> None:  # B28
    module = positions(1, 16)
    copied = copy.deepcopy(module)
    names = {name.rsplit(".", 1)[-1] for name, _ in module.named_parameters()}
    assert {"bias", "original0", "original1"} == names
    assert module[0].parametrizations.weight.original0.shape == (1, 1, 16)
    x, _ = batch()
    torch.testing.assert_close(copied(x), module(x))
    with torch.no_grad():
        copied[0].parametrizations.weight.original1 *= 2  # only the direction counts
        torch.testing.assert_close(copied(x), module(x))
        copied[0].parametrizations.weight.original0 *= 2
        assert (copied(x) - module(x)).abs().max() > 1e-3


def test_groups_must_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="`conv_pos_groups` must divide `encoder_embed_dim`: got 3 for 8"):
        ConvPositions(DIM, 15, 3, 5)
