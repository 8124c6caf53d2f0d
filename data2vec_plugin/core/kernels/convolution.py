"""Convolution over time of tokens whose channels come last, as everywhere else in the encoder."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tracing import autocasts, compiles, is_plain, is_traced
from .products import LARGE
from .winograd import fewer_products


def convolve_time(x: Tensor, conv: nn.Module) -> Tensor:
    """A convolution with stride 1 that pads, cut to the length of its input: (R, T, C) -> (R, T, C')."""
    if isinstance(conv, nn.Conv1d) and is_plain(conv, nn.Conv1d):
        return convolution(x, conv.weight, conv.bias, int(conv.padding[0]), conv.groups)
    same_length: Tensor = conv(x.transpose(1, 2))[..., : x.size(1)].transpose(1, 2)
    return same_length


def convolution(x: Tensor, weight: Tensor, bias: Optional[Tensor], padding: int, groups: int) -> Tensor:
    """The same with the weights (C', C/groups, K), padded by ``padding`` in front.

    torch's one-dimensional convolution requires channels first. On a CPU a two-dimensional one takes them last, without
    copies, in faster kernels (`benchmarks/kernels.py`); for GPUs and traces it stays as it is.
    """
    time = x.size(1)
    if compiles() or is_traced() or x.device.type != "cpu":
        return F.conv1d(x.transpose(1, 2), weight, bias, padding=padding, groups=groups)[..., :time].transpose(1, 2)
    if groups == 1 and takes_fewer_products(x, weight):
        return fewer_products(x, weight, bias, padding)
    image = x.transpose(1, 2).unsqueeze(2)  # (R, T, C) -> (R, C, 1, T)
    convolved = F.conv2d(image, weight.unsqueeze(2), bias, padding=(0, padding), groups=groups)
    return convolved[..., :time].squeeze(2).transpose(1, 2)


def takes_fewer_products(x: Tensor, weight: Tensor) -> bool:
    """Whether a dense convolution is large, and its kernel consists of triples of taps, in fp32."""
    if x.numel() * weight.size(0) * weight.size(2) < LARGE or weight.size(2) % 3:
        return False
    return x.dtype == weight.dtype == torch.float32 and not autocasts()
