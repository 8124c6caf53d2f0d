"""Cheap operations are recomputed in the backward pass instead of stored: GELU, and a layer norm before it."""

from __future__ import annotations

from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..tracing import autocasts, compiles, is_plain, is_traced
from .products import input_gradient, linear_map, project, weight_gradients

aten: Any = torch.ops.aten
Gradients = Tuple[Optional[Tensor], ...]


def gelu_linear(x: Tensor, linear: nn.Linear, approximate: str = "none") -> Tensor:
    """``linear(gelu(x))`` that only stores ``x`` for the backward pass: (…, C) -> (…, C').

    >>> gelu_linear(torch.zeros(1, 2), nn.Linear(2, 3)).shape
    torch.Size([1, 3])
    """
    if not (keeps_less(x, linear.weight) and is_plain(linear, nn.Linear)):
        return project(F.gelu(x, approximate=approximate), linear)
    result: Tensor = _GeluLinear.apply(x, linear.weight, linear.bias, approximate)  # type: ignore[no-untyped-call]
    return result


def norm_gelu(x: Tensor, norm: Optional[nn.LayerNorm] = None) -> Tensor:
    """GELU of a layer norm over channels, without weights if no ``norm`` is given: (…, C) -> (…, C)."""
    weight, bias, eps = weights_of(norm)
    if not keeps_less(x, *(() if weight is None else (weight,))):
        channels = int(x.shape[-1])  # an ONNX trace would otherwise record the shape, for which it has no norm
        if weight is None and is_traced():  # ONNX requires a scale, which torch 2.1 leaves out
            weight, bias = x.new_ones(channels), x.new_zeros(channels)
        return F.gelu(F.layer_norm(x, (channels,), weight, bias, eps))
    result: Tensor = _NormGelu.apply(x, weight, bias, eps)  # type: ignore[no-untyped-call]
    return result


def weights_of(norm: Optional[nn.LayerNorm]) -> Tuple[Optional[Tensor], Optional[Tensor], float]:
    """Scale, offset and epsilon."""
    return (None, None, 1e-5) if norm is None else (norm.weight, norm.bias, norm.eps)


def keeps_less(*tensors: Tensor) -> bool:
    """Whether to recompute in this module's backward pass: compilers decide themselves, autocast changes precisions.

    Traces, for ONNX above all, must consist of torch's own operations.
    """
    if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
        return False
    return not (autocasts() or compiles() or is_traced())


class _GeluLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Optional[Tensor], approximate: str) -> Tensor:
        ctx.approximate = approximate
        ctx.save_for_backward(x, weight)
        return linear_map(F.gelu(x, approximate=approximate), weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        made = F.gelu(x, approximate=ctx.approximate)
        of_weight, of_bias = weight_gradients(ctx.needs_input_grad[1:3], gradient, made)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = aten.gelu_backward(input_gradient(gradient, weight), x, approximate=ctx.approximate)
        return of_x, of_weight, of_bias, None


class _NormGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Optional[Tensor], bias: Optional[Tensor], eps: float) -> Tensor:
        normed, mean, scale = torch.native_layer_norm(x, x.shape[-1:], weight, bias, eps)
        ctx.save_for_backward(x, mean, scale, weight, bias)
        ctx.eps = eps
        return F.gelu(normed)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Gradients:  # type: ignore[override]
        x, mean, scale, weight, bias = ctx.saved_tensors
        normed = F.layer_norm(x, x.shape[-1:], weight, bias, ctx.eps)
        of_normed = aten.gelu_backward(gradient, normed)
        return (*norm_backward(ctx.needs_input_grad[:3], of_normed, x, mean, scale, weight, bias), None)


def norm_backward(
    needs: Tuple[bool, ...],
    gradient: Tensor,
    x: Tensor,
    mean: Tensor,
    scale: Tensor,
    weight: Optional[Tensor],
    bias: Optional[Tensor],
) -> Gradients:
    """Gradients of a layer norm's input, scale and offset, as far as they are needed."""
    mask = [bool(needs[0]), weight is not None and bool(needs[1]), bias is not None and bool(needs[2])]
    found = aten.native_layer_norm_backward(gradient, x, x.shape[-1:], mean, scale, weight, bias, mask)
    return tuple(part if wanted else None for part, wanted in zip(found, mask))
