"""Convolution over time of tokens whose channels come last, as everywhere else in the encoder."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tracing import autocasts, compiles, is_plain, is_traced, is_watched
from .products import LARGE
from .winograd import fewer_products


def convolve_time(x: Tensor, conv: nn.Module, small_too: bool = True) -> Tensor:
    """A convolution with stride 1 that pads, cut to the length of its input: (R, T, C) -> (R, T, C').

    Without ``small_too`` only large ones leave torch's own kernels, since others round differently.
    """
    if isinstance(conv, nn.Conv1d) and is_plain(conv, nn.Conv1d) and is_usual(conv):
        return convolution(x, conv.weight, conv.bias, int(conv.padding[0]), conv.groups, small_too)
    same_length: Tensor = conv(x.transpose(1, 2))[..., : x.size(1)].transpose(1, 2)
    return same_length


def is_usual(conv: nn.Conv1d) -> bool:
    """Whether a convolution reads each neighbourhood of K steps once, with zeros beyond the ends."""
    half = (conv.kernel_size[0] // 2,)
    return conv.stride == conv.dilation == (1,) and conv.padding_mode == "zeros" and conv.padding == half


def convolution(
    x: Tensor, weight: Tensor, bias: Optional[Tensor], padding: int, groups: int, small_too: bool = True
) -> Tensor:
    """Convolution with stride 1, ``padding`` zeros in front (half of K), and the length of its input: (R, T, C),
    (C', C/groups, K), (C',) -> (R, T, C').

    torch's one-dimensional convolution requires channels first. On a CPU a two-dimensional one takes them last, without
    copies, in faster kernels (`benchmarks/kernels.py`); compilers and traces see the former.
    """
    time, large = x.size(1), x.size(0) * x.size(1) * weight.numel() >= LARGE
    if compiles() or is_traced() or x.device.type != "cpu" or not (large or small_too):
        return F.conv1d(x.transpose(1, 2), weight, bias, padding=padding, groups=groups)[..., :time].transpose(1, 2)
    if large and groups == 1 and takes_fewer_products(x, weight):
        return fewer_products(x, weight, bias, padding)
    image = x.transpose(1, 2).unsqueeze(2)  # (R, T, C) -> (R, C, 1, T)
    convolved = F.conv2d(image, weight.unsqueeze(2), bias, padding=(0, padding), groups=groups)
    return convolved[..., :time].squeeze(2).transpose(1, 2)


def takes_fewer_products(x: Tensor, weight: Tensor) -> bool:
    """Whether a kernel consists of triples of taps, in fp32."""
    fp32 = x.dtype == weight.dtype == torch.float32
    return weight.size(2) % 3 == 0 and fp32 and not (autocasts() or is_watched())
