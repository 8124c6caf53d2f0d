"""What is made again in the backward pass has the gradients of what is kept, and keeps less."""

from __future__ import annotations

from typing import Callable, List, Optional

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data2vec_plugin.core.kernels.recompute import gelu_linear, norm_gelu


def gradients(result: Tensor, inputs: List[Tensor]) -> List[Tensor]:
    weights = torch.linspace(-1, 1, result.numel()).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


def source() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 5, 8, requires_grad=True)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_map_of_gelu(approximate: str, bias: bool) -> None:
    x, linear = source(), nn.Linear(8, 3, bias=bias)
    inputs = [x, *linear.parameters()]
    plain = gradients(linear(F.gelu(x, approximate=approximate)), inputs)
    torch.testing.assert_close(gradients(gelu_linear(x, linear, approximate), inputs), plain)


@pytest.mark.parametrize("norm", [None, nn.LayerNorm(8), nn.LayerNorm(8, elementwise_affine=False)])
def test_gelu_of_a_norm(norm: Optional[nn.LayerNorm]) -> None:
    x = source()
    inputs = [x, *(norm.parameters() if norm is not None else ())]
    with torch.no_grad():
        for parameter in inputs[1:]:
            parameter.add_(torch.randn_like(parameter))
    plain = gradients(F.gelu(norm(x) if norm is not None else F.layer_norm(x, (8,))), inputs)
    torch.testing.assert_close(gradients(norm_gelu(x, norm), inputs), plain)


def test_what_wants_no_gradient_gets_none() -> None:
    x, linear = torch.randn(2, 8), nn.Linear(8, 3)
    linear.bias.requires_grad_(False)
    gelu_linear(x, linear).sum().backward()
    assert linear.weight.grad is not None
    assert linear.bias.grad is None
    norm = nn.LayerNorm(8)
    norm.bias.requires_grad_(False)
    norm_gelu(x, norm).sum().backward()
    assert norm.weight.grad is not None
    assert norm.bias.grad is None


def kept(make: Callable[[Tensor], Tensor]) -> int:
    sizes: List[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.untyped_storage().nbytes())
        return tensor

    x = torch.randn(4, 1000, requires_grad=True) * 1
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        make(x)
    return sum(sizes)


def test_less_is_kept() -> None:
    linear, row = nn.Linear(1000, 2), 4 * 1000 * 4
    assert kept(lambda x: gelu_linear(x, linear)) == kept(lambda x: linear(F.gelu(x))) - row
    assert kept(norm_gelu) == kept(lambda x: F.gelu(F.layer_norm(x, (1000,)))) - row


def test_nothing_is_kept_where_nothing_is_trained() -> None:
    with torch.no_grad():
        assert norm_gelu(source()).grad_fn is None
