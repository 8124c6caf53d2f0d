"""A convolution with fewer multiplications gives torch's numbers and gradients."""

from __future__ import annotations

from typing import List

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data2vec_plugin.core.kernels.winograd import fewer_products


def with_gradients(result: Tensor, inputs: List[Tensor]) -> List[Tensor]:
    weights = torch.linspace(-1, 1, result.numel()).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


@pytest.mark.parametrize("kernel", [3, 6, 9, 15])
@pytest.mark.parametrize("time", [1, 2, 7, 20])
@pytest.mark.parametrize("bias", [True, False])
def test_it_is_the_convolution(kernel: int, time: int, bias: bool) -> None:
    torch.manual_seed(0)
    conv = nn.Conv1d(5, 4, kernel, padding=kernel // 2, bias=bias).double()
    x = torch.randn(3, time, 5, dtype=torch.float64, requires_grad=True)
    inputs = [x, *conv.parameters()]
    plain = with_gradients(conv(x.transpose(1, 2))[..., :time].transpose(1, 2), inputs)
    mine = with_gradients(fewer_products(x, conv.weight, conv.bias, kernel // 2), inputs)
    torch.testing.assert_close(mine, plain, rtol=1e-12, atol=1e-12)


def test_single_precision_suffices() -> None:
    """Its sums round, which a decoder's usual sizes must not notice: within 2e-6 of the largest value."""
    torch.manual_seed(0)
    conv, x = nn.Conv1d(192, 192, 9, padding=4), torch.randn(2, 64, 192)
    with torch.no_grad():
        made = fewer_products(x, conv.weight, conv.bias, 4)
        exact = conv.double()(x.double().transpose(1, 2)).transpose(1, 2)
    assert (made - exact).abs().max() < 2e-6 * exact.abs().max()


def test_only_what_is_needed_gets_a_gradient() -> None:
    conv = nn.Conv1d(5, 4, 3, padding=1)
    conv.weight.requires_grad_(False)
    fewer_products(torch.randn(2, 6, 5), conv.weight, conv.bias, 1).sum().backward()
    assert conv.weight.grad is None
    torch.testing.assert_close(conv.bias.grad, torch.full((4,), 12.0))


def test_what_it_keeps_for_the_backward_pass() -> None:
    """The input and the weights, as a convolution does, not the sums."""
    conv, x = nn.Conv1d(8, 8, 9, padding=4), torch.randn(2, 50, 8, requires_grad=True)
    kept: List[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        fewer_products(x, conv.weight, conv.bias, 4)
    assert set(kept) == {x.data_ptr(), conv.weight.data_ptr()}


def test_strided_inputs_and_gradients() -> None:
    conv, x = nn.Conv1d(5, 4, 3, padding=1), torch.randn(2, 5, 7).transpose(1, 2).requires_grad_()
    inputs = [x, *conv.parameters()]
    mine = torch.autograd.grad(fewer_products(x, conv.weight, conv.bias, 1).sum(), inputs)  # one number, expanded
    torch.testing.assert_close(mine, torch.autograd.grad(conv(x.transpose(1, 2)).sum(), inputs))


@pytest.mark.parametrize("time", [6, 7])
def test_results_can_be_changed_in_place(time: int) -> None:
    conv = nn.Conv1d(5, 4, 3, padding=1)
    fewer_products(torch.randn(2, time, 5), conv.weight, conv.bias, 1).add_(1).sum().backward()
    torch.testing.assert_close(conv.bias.grad, torch.full((4,), 2.0 * time))


@pytest.mark.parametrize("padding", [0, 1, 2, 4])
def test_another_padding(padding: int) -> None:
    """In front; behind, as much as the length of the input requires."""
    torch.manual_seed(0)
    weight, x = torch.randn(4, 5, 3), torch.randn(2, 7, 5, requires_grad=True)
    ahead = F.pad(x, (0, 0, padding, 2))[:, :9]
    plain = F.conv1d(ahead.transpose(1, 2), weight).transpose(1, 2)
    mine = fewer_products(x, weight, None, padding)
    torch.testing.assert_close(with_gradients(mine, [x]), with_gradients(plain, [x]))
