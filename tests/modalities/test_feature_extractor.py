"""The strided convolutions: equal to torch's, and a padded clip equal to the same one alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data2vec_plugin.modalities.feature_extractor import FeatureExtractor, TimeNorm, convolve, lengths_to_padding

SPECS = [(6, 10, 5), (6, 3, 2), (6, 2, 2)]


def extractor(mode: str, **settings: Any) -> FeatureExtractor:
    torch.manual_seed(0)
    module = FeatureExtractor(SPECS, mode, **settings)
    for parameter in module.parameters():
        parameter.data += torch.randn(parameter.shape) * 0.2
    return module


@pytest.mark.parametrize(("channels", "kernel", "stride"), [(1, 10, 5), (3, 3, 2), (3, 2, 2), (3, 5, 1), (2, 1, 2)])
@pytest.mark.parametrize("bias", [False, True])
def test_windows_are_torchs_convolution(channels: int, kernel: int, stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(channels, 4, kernel, stride, bias=bias)
    for length in (kernel, kernel + 1, 23):
        x = torch.randn(2, length, channels, requires_grad=True)
        ours, theirs = convolve(x, conv), conv(x.transpose(1, 2)).transpose(1, 2)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        weights = torch.randn_like(ours)
        (gradient,) = torch.autograd.grad((ours * weights).sum(), x)
        torch.testing.assert_close(gradient, torch.autograd.grad((theirs * weights).sum(), x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["default", "layer_norm"])
def test_extractor_is_wav2vecs(mode: str) -> None:
    module = extractor(mode, bias=True)
    source = torch.randn(2, 300)
    x = source.unsqueeze(1)
    for index, layer in enumerate(module.conv_layers):
        x = layer[0](x)
        if mode == "default" and index == 0:
            x = F.group_norm(x, 6, layer[2].weight, layer[2].bias)
        if mode == "layer_norm":
            x = F.layer_norm(x.transpose(1, 2), (6,), layer[2][1].weight, layer[2][1].bias).transpose(1, 2)
        x = F.gelu(x)
    torch.testing.assert_close(module(source), x.transpose(1, 2), rtol=1e-5, atol=1e-5)


def padded_batch(length: int = 211) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    source = torch.randn(2, 300) + 1
    source[1, length:] = 0
    return source, torch.tensor([300, length])


@pytest.mark.parametrize("mode", ["default", "layer_norm"])
def test_padded_clip_equals_the_same_one_alone(mode: str) -> None:  # B7, B31
    module, (source, lengths) = extractor(mode), padded_batch()
    frames = int(module.output_lengths(lengths)[1])
    alone = module(source[1:, :211])
    assert alone.size(1) == frames
    torch.testing.assert_close(module(source, lengths)[1, :frames], alone[0], rtol=1e-5, atol=1e-5)


def test_reference_norms_over_the_padding_too() -> None:
    source, lengths = padded_batch()
    leaky = extractor("default", padding_in_norm=True)
    torch.testing.assert_close(leaky(source, lengths), leaky(source))
    assert (leaky(source, lengths) - extractor("default")(source, lengths))[1, :20].abs().max() > 0.01


def test_time_norm_of_half_precision_frames_is_taken_in_fp32() -> None:
    norm = TimeNorm(3).half()
    x = torch.randn(2, 40, 3) + 200
    normed = norm(x.half(), lengths_to_padding(torch.tensor([40, 30]), 40))
    assert normed.dtype == torch.float16
    torch.testing.assert_close(normed.float().mean(1)[0], torch.zeros(3), atol=1e-2, rtol=0)


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="`extractor_mode` is 'batch'"):
        FeatureExtractor(SPECS, "batch")
