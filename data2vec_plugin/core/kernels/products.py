"""Linear maps whose large matrix products run in the faster of the CPU kernels that torch ships.

For fp32, torch multiplies with MKL, which has its fastest kernels for Intel's processors only. oneDNN's are 10 to 25 %
faster on AMD's, for the products of a base model (`benchmarks/kernels.py`).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import flop_counter

from ..tracing import autocasts, compiles, is_traced

LARGE = 1 << 29
"""Multiplications of a product from which other kernels are chosen: those of base models.

oneDNN is the faster one from 2²⁵ on, but small models, of which a product takes a few milliseconds, shall give the same
numbers with and without it.
"""
PROCESSORS = Path("/proc/cpuinfo")


def _faster() -> bool:
    """Whether oneDNN is there and multiplies faster than MKL."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    return PROCESSORS.is_file() and "AuthenticAMD" in PROCESSORS.read_text()


FASTER = _faster()


def _flops(x: Sequence[int], weight: Sequence[int], *_: Any, **__: Any) -> int:
    """What torch's counter of FLOPs, which does not know oneDNN's product, adds for one of these shapes."""
    return 2 * math.prod(x) * weight[0]


if FASTER and hasattr(flop_counter, "register_flop_formula"):  # torch 2.1 has none
    flop_counter.register_flop_formula(torch.ops.mkldnn._linear_pointwise)(_flops)


class Linear(nn.Linear):
    """torch's linear map, by :func:`linear_map`."""

    def forward(self, x: Tensor) -> Tensor:
        """(…, C) -> (…, C')."""
        return linear_map(x, self.weight, self.bias)


def linear_map(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """``x @ weight.t() + bias``: (…, C), (C', C), (C',) -> (…, C').

    >>> linear_map(torch.ones(1, 2), torch.ones(3, 2))
    tensor([[2., 2., 2.]])
    """
    if not suits(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return _multiplied(x, weight, bias)
    result: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def suits(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN is the faster one for a product; compilers and traces must see torch's own operations."""
    if not FASTER or compiles() or is_traced() or x.numel() * weight.size(0) < LARGE:
        return False
    if x.device.type != "cpu" or not x.dtype == weight.dtype == torch.float32:
        return False
    return bool(torch.backends.mkldnn.enabled) and not autocasts()


def _multiplied(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    made: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return made


def input_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    """Gradient of a linear map's input: (…, C'), (C', C) -> (…, C)."""
    return _multiplied(gradient, weight.t(), None) if suits(gradient, weight.t()) else gradient @ weight


def weight_gradients(needs: Tuple[bool, bool], gradient: Tensor, x: Tensor) -> Tuple[Optional[Tensor], ...]:
    """Gradients of weight and bias of a linear map that read ``x``, as far as they are needed.

    oneDNN would first copy both factors, since they are summed over rows: MKL is as fast.
    """
    rows = gradient.reshape(-1, gradient.size(-1))
    of_weight = rows.t() @ x.reshape(-1, x.size(-1)) if needs[0] else None
    return of_weight, rows.sum(0) if needs[1] else None


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _multiplied(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], ...]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        of_x = input_gradient(gradient, weight) if ctx.needs_input_grad[0] else None
        return (of_x, *weight_gradients(ctx.needs_input_grad[1:], gradient, x))
