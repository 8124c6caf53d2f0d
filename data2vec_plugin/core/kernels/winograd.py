"""Convolution over time with a third fewer multiplications, for large ones on a CPU.

Two outputs of three taps need four products instead of six: Winograd's F(2, 3), as in "Fast Algorithms for
Convolutional Neural Networks" (Lavin and Gray, 2016), section 4.1. Longer kernels are sums of such triples. On a GPU,
cuDNN chooses such algorithms itself; torch's convolutions on a CPU multiply every tap (`benchmarks/kernels.py`).
"""

from __future__ import annotations

from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from .products import linear_map


def fewer_products(x: Tensor, weight: Tensor, bias: Optional[Tensor], padding: int) -> Tensor:
    """A dense convolution of T steps, padded by ``padding`` in front: (R, T, C), (C', C, K), (C',) -> (R, T, C').

    K must be a multiple of 3.
    """
    pairs: Tensor = _Winograd.apply(x, weight, bias, padding)  # type: ignore[no-untyped-call]
    return pairs[:, : x.size(1)]


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional[Tensor], padding: int) -> Tensor:
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        ctx.time, ctx.kernel, ctx.padding = x.size(1), weight.size(2), padding
        return filtered(x, weight, bias, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], ...]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            reverse = ctx.kernel - 1 - ctx.padding
            of_x = filtered(gradient, weight.flip(2).transpose(0, 1), None, reverse)[:, : ctx.time]
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(gradient, x, ctx.kernel, ctx.padding)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum((0, 1))
        return of_x, of_weight, of_bias, None


def filtered(x: Tensor, weight: Tensor, bias: Optional[Tensor], padding: int) -> Tensor:
    """The convolution, of one step more if T is odd: (R, T, C), (C', C, K), (C',) -> (R, 2·⌈T/2⌉, C')."""
    seen, taps = input_tiles(x, weight.size(2), padding), weight_tiles(weight)
    # the second is added to both outputs, so it carries the bias
    first, second, third, fourth = (
        linear_map(part, tap, bias if index == 1 else None) for index, (part, tap) in enumerate(zip(seen, taps))
    )
    made = x.new_empty(x.size(0), 2 * ((x.size(1) + 1) // 2), len(weight))
    pairs = made.view(len(first), 2, len(weight))
    torch.add(first, second, out=pairs[:, 0]).add_(third)
    torch.sub(second, third, out=pairs[:, 1]).sub_(fourth)
    return made


def input_tiles(x: Tensor, kernel: int, padding: int) -> Tensor:
    """Four sums of the inputs that two outputs read, for each triple of taps: (R, T, C) -> (4, R·⌈T/2⌉, K/3·C)."""
    rows, time, channels = x.shape
    pairs, triples = (time + 1) // 2, kernel // 3
    length = 2 * pairs + kernel - 1
    padded = F.pad(x, (0, 0, padding, length - time - padding))
    # each pair of outputs begins two steps after the last, each triple of taps three; it reads four inputs
    steps = channels, length * channels, 2 * channels, 3 * channels, 1
    first, second, third, fourth = padded.as_strided((4, rows, pairs, triples, channels), steps)
    tiles = x.new_empty(4, rows, pairs, triples, channels)
    torch.sub(first, third, out=tiles[0])
    torch.lerp(second, third, 0.5, out=tiles[1])  # half of the sum; the next is half of the difference
    torch.sub(third, tiles[1], out=tiles[2])
    torch.sub(second, fourth, out=tiles[3])
    return tiles.view(4, rows * pairs, triples * channels)


def weight_tiles(weight: Tensor) -> Tensor:
    """What these sums are multiplied by: (C', C, K) -> (4, C', K/3·C)."""
    left, middle, right = weight.view(*weight.shape[:2], -1, 3).permute(3, 0, 2, 1)
    outer = left + right
    return torch.stack([left, outer + middle, outer - middle, right]).flatten(2)


def weight_gradient(gradient: Tensor, x: Tensor, kernel: int, padding: int) -> Tensor:
    """Gradient of the weights, by the same sums: (R, 2·⌈T/2⌉, C'), (R, T, C) -> (C', C, K)."""
    outputs = gradient.size(2)
    even, odd = gradient.reshape(-1, 2, outputs).unbind(1)
    factors = even, even + odd, even - odd, odd
    first, second, third, fourth = (
        (factor.t() @ tile).view(outputs, -1, x.size(2))
        for factor, tile in zip(factors, input_tiles(x, kernel, padding))
    )
    outer = second + third
    # (C', K/3, C, 3) -> (C', C, K)
    taps = torch.stack([first + outer, second - third, outer - fourth], -1)
    return taps.transpose(1, 2).flatten(2)
