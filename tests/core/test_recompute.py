"""What is made again in the backward pass has the gradients of what is kept, and keeps less."""

from __future__ import annotations

from typing import List

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data2vec_plugin.core.recompute import normed_gelu, remade, remade_linear


def gradients(result: Tensor, inputs: List[Tensor]) -> List[Tensor]:
    weights = torch.linspace(-1, 1, result.numel()).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


def test_same_values_and_gradients() -> None:
    torch.manual_seed(0)
    x, norm = torch.randn(2, 5, 8, requires_grad=True), nn.LayerNorm(8)

    def make(y: Tensor) -> Tensor:
        return F.gelu(norm(y))

    parameters = list(norm.parameters())
    plain, again = (gradients(y, [x, *parameters]) for y in (make(x), remade(make, x, parameters)))
    torch.testing.assert_close(again, plain)


@pytest.mark.parametrize("bias", [True, False])
def test_same_values_and_gradients_of_a_linear_map(bias: bool) -> None:
    torch.manual_seed(0)
    x, linear = torch.randn(2, 5, 8, requires_grad=True), nn.Linear(8, 3, bias=bias)
    inputs = [x, *linear.parameters()]
    plain = gradients(linear(normed_gelu(x)), inputs)
    again = gradients(remade_linear(normed_gelu, x, linear.weight, linear.bias), inputs)
    torch.testing.assert_close(again, plain)


def test_what_wants_no_gradient_gets_none() -> None:
    x, linear = torch.randn(2, 8), nn.Linear(8, 3)
    linear.bias.requires_grad_(False)
    remade_linear(torch.tanh, x, linear.weight, linear.bias).sum().backward()
    assert linear.weight.grad is not None
    assert linear.bias.grad is None


def kept(make_graph: bool) -> int:
    x, linear = torch.randn(4, 1000, requires_grad=True), nn.Linear(1000, 2)
    sizes: List[int] = []

    def pack(tensor: Tensor) -> Tensor:
        sizes.append(tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        if make_graph:
            linear(F.gelu(x))
        else:
            remade_linear(F.gelu, x, linear.weight, linear.bias)
    return sum(sizes)


def test_less_is_kept() -> None:
    assert kept(False) == kept(True) - 4 * 1000 * 4


def test_nothing_is_kept_where_nothing_is_trained() -> None:
    with torch.no_grad():
        assert remade(torch.tanh, torch.ones(2, requires_grad=True)).grad_fn is None
