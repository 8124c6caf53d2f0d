"""What is cheap is made again in the backward pass, instead of being kept for it."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Make = Callable[[Tensor], Tensor]


def remade(make: Make, x: Tensor, parameters: Sequence[Tensor] = ()) -> Tensor:
    """``make(x)``, of which nothing but ``x`` is kept; ``make`` draws nothing at random and reads ``parameters``.

    >>> x = torch.ones(2, requires_grad=True)
    >>> remade(torch.tanh, x).sum().backward()
    """
    if not keeps_less(x, *parameters):
        return make(x)
    result: Tensor = _Remade.apply(make, x, *parameters)  # type: ignore[no-untyped-call]
    return result


def remade_linear(
    make: Make, x: Tensor, weight: Tensor, bias: Optional[Tensor], parameters: Sequence[Tensor] = ()
) -> Tensor:
    """``F.linear(make(x), weight, bias)`` in the same way: not even the linear map's input is kept."""
    if not keeps_less(x, weight, *parameters):
        return F.linear(make(x), weight, bias)
    result: Tensor = _RemadeLinear.apply(make, x, weight, bias, *parameters)  # type: ignore[no-untyped-call]
    return result


def can_be_remade(linear: nn.Linear) -> bool:
    """Whether a linear map does nothing but what its weights say: no adapter stands in its place, nobody looks on."""
    return type(linear) is nn.Linear and not linear._forward_hooks and not linear._forward_pre_hooks


def normed_gelu(x: Tensor) -> Tensor:
    """GELU of what a layer norm without weights gives: (B, T, C) -> (B, T, C)."""
    return F.gelu(F.layer_norm(x, x.shape[-1:]))


def keeps_less(*tensors: Tensor) -> bool:
    """Whether there is a backward pass, and it is ours: compilers decide themselves, autocast changes precisions."""
    if not torch.is_grad_enabled() or not any(tensor.requires_grad for tensor in tensors):
        return False
    return not (autocasts() or torch.compiler.is_compiling())


def autocasts() -> bool:
    """Whether operations choose their own precision, on whatever device."""
    try:
        return torch.is_autocast_enabled("cuda") or torch.is_autocast_enabled("cpu")
    except TypeError:  # torch before 2.4
        return torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()


class _Remade(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, make: Make, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.make = make
        ctx.save_for_backward(x, *parameters)
        return make(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], ...]:  # type: ignore[override]
        x, *parameters = ctx.saved_tensors
        inputs, made = _made_again(ctx.make, x, parameters)
        return (None, *_gradients(made, inputs, gradient))


class _RemadeLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, make: Make, x: Tensor, weight: Tensor, bias: Optional[Tensor], *parameters: Tensor) -> Tensor:
        ctx.make = make
        ctx.save_for_backward(x, weight, *parameters)
        return F.linear(make(x), weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], ...]:  # type: ignore[override]
        x, weight, *parameters = ctx.saved_tensors
        inputs, made = _made_again(ctx.make, x, parameters)
        rows = gradient.reshape(-1, gradient.size(-1))
        of_weight = rows.t() @ made.detach().reshape(-1, made.size(-1)) if ctx.needs_input_grad[2] else None
        of_bias = rows.sum(0) if ctx.needs_input_grad[3] else None
        of_x, *of_parameters = _gradients(made, inputs, gradient @ weight)
        return (None, of_x, of_weight, of_bias, *of_parameters)


def _made_again(make: Make, x: Tensor, parameters: Sequence[Tensor]) -> Tuple[List[Tensor], Tensor]:
    """What gradients are wanted of, and what was made of it."""
    with torch.enable_grad():
        again = x.detach().requires_grad_(x.requires_grad)
        return [again, *parameters], make(again)


def _gradients(made: Tensor, inputs: Sequence[Tensor], gradient: Tensor) -> List[Optional[Tensor]]:
    """Of each input, None where none is wanted."""
    wanted = [tensor for tensor in inputs if tensor.requires_grad]
    found = iter(torch.autograd.grad(made, wanted, gradient) if wanted else ())
    return [next(found) if tensor.requires_grad else None for tensor in inputs]
