"""Linear maps whose large matrix products run in the faster of the CPU kernels that torch ships.

For fp32, torch multiplies with MKL, which has its fastest kernels for Intel's processors only. oneDNN's are 10 to 25 %
faster on AMD's, for the products of a base model (`benchmarks/kernels.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tracing import autocasts, compiles, is_plain, is_traced, is_watched

LARGE = 1 << 29
"""Multiplications from which a product or a convolution uses another kernel than torch's own: those of base models.

oneDNN is the faster one from 2²⁵ on, but there it saves less than a millisecond, and small models should give the same
numbers with and without it.
"""
PROCESSORS = Path("/proc/cpuinfo")


def _faster() -> bool:
    """Whether torch has oneDNN's product and the processor is one of AMD's."""
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    try:
        return b"AuthenticAMD" in PROCESSORS.read_bytes()
    except OSError:
        return False


FASTER = _faster()


def project(x: Tensor, linear: nn.Module) -> Tensor:
    """``linear(x)``: (…, C) -> (…, C'). Adapters of another class, and layers with hooks, are called."""
    if isinstance(linear, nn.Linear) and suits(x, linear.weight) and is_plain(linear, nn.Linear):
        return linear_map(x, linear.weight, linear.bias)
    projected: Tensor = linear(x)
    return projected


def linear_map(x: Tensor, weight: Tensor, bias: Optional[Tensor] = None) -> Tensor:
    """``x @ weight.t() + bias``: (…, C), (C', C), (C',) -> (…, C').

    >>> linear_map(torch.ones(1, 2), torch.ones(3, 2))
    tensor([[2., 2., 2.]])
    """
    if not suits(x, weight):
        return F.linear(x, weight, bias)
    if not torch.is_grad_enabled():
        return multiplied(x, weight, bias)
    result: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return result


def suits(x: Tensor, weight: Tensor) -> bool:
    """Whether to use oneDNN: for large fp32 products on a CPU where it is the faster one.

    Compilers, traces and modes that count or replace operations see torch's own.
    """
    if not FASTER or compiles() or is_traced() or x.numel() * weight.size(0) < LARGE:
        return False
    if x.device.type != "cpu" or not x.dtype == weight.dtype == torch.float32 or is_watched():
        return False
    plain = type(x) is Tensor and type(weight) in (Tensor, nn.Parameter)
    return plain and bool(torch.backends.mkldnn.enabled) and not autocasts()


def multiplied(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
    """The product in oneDNN's kernel, without gradients."""
    made = torch.ops.mkldnn._linear_pointwise(x.reshape(-1, x.size(-1)), weight, bias, "none", [], "")
    # not a view, since what is made here may be the result of a Function, which may be changed in place
    unfolded: Tensor = torch.ops.aten._unsafe_view(made, (*x.shape[:-1], weight.size(0)))
    return unfolded


def input_gradient(gradient: Tensor, weight: Tensor) -> Tensor:
    """Gradient of a linear map's input: (…, C'), (C', C) -> (…, C)."""
    return linear_map(gradient, weight.t())


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
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight if ctx.needs_input_grad[0] else None)
        return multiplied(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], ...]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        of_x = input_gradient(gradient, weight) if ctx.needs_input_grad[0] else None
        return (of_x, *weight_gradients(ctx.needs_input_grad[1:], gradient, x))
