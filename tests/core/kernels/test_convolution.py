"""Convolutions over time are torch's, whichever kernel computes them."""

from __future__ import annotations

from typing import List, Optional

import pytest
import torch
from torch import Tensor, nn

from data2vec_plugin.core.kernels import convolution
from data2vec_plugin.core.kernels.convolution import convolve_time, takes_fewer_products
from data2vec_plugin.core.kernels.winograd import fewer_products


def with_gradients(result: Tensor, inputs: List[Tensor]) -> List[Tensor]:
    weights = torch.linspace(-1, 1, result.numel()).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


def plain(x: Tensor, conv: nn.Module) -> Tensor:
    result: Tensor = conv(x.transpose(1, 2))[..., : x.size(1)].transpose(1, 2)
    return result


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [4, 7, 9])
@pytest.mark.parametrize("large", [False, True])
def test_it_is_torchs(groups: int, kernel: int, large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    calls: List[int] = []

    def counted(x: Tensor, weight: Tensor, bias: Optional[Tensor], padding: int) -> Tensor:
        calls.append(padding)
        return fewer_products(x, weight, bias, padding)

    monkeypatch.setattr(convolution, "fewer_products", counted)
    if large:
        monkeypatch.setattr(convolution, "LARGE", 1)
    conv, x = nn.Conv1d(6, 4, kernel, padding=kernel // 2, groups=groups), torch.randn(3, 11, 6, requires_grad=True)
    inputs = [x, *conv.parameters()]
    torch.testing.assert_close(with_gradients(convolve_time(x, conv), inputs), with_gradients(plain(x, conv), inputs))
    assert calls == ([4] if large and kernel == 9 and groups == 1 else [])


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv1d(6, 4, 9, padding="same"),
        nn.Conv1d(6, 4, 9, padding=8, dilation=2),
        nn.Conv1d(6, 4, 9, padding=4, padding_mode="circular"),
        nn.Conv1d(6, 4, 9, padding=2),
    ],
    ids=["same", "dilated", "circular", "less padding"],
)
def test_unusual_ones_are_called(conv: nn.Conv1d, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "LARGE", 1)
    x = torch.randn(2, 11, 6)
    torch.testing.assert_close(convolve_time(x, conv), plain(x, conv))


@pytest.mark.parametrize("large", [False, True])
def test_small_ones_may_stay_torchs(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        monkeypatch.setattr(convolution, "LARGE", 1)
    conv, x = nn.Conv1d(6, 4, 7, padding=3, groups=2), torch.randn(3, 11, 6)
    made = convolve_time(x, conv, small_too=False)
    assert made.is_contiguous() == large
    assert torch.equal(made, plain(x, conv)) or large


@pytest.mark.skipif(not torch.backends.mkldnn.enabled, reason="oneDNN is turned off")
def test_channels_stay_last() -> None:
    made = convolve_time(torch.randn(3, 11, 6), nn.Conv1d(6, 4, 7, padding=3, groups=2))
    assert made.is_contiguous()


def test_other_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "LARGE", 1)
    conv, x = nn.Conv1d(6, 4, 9, padding=4), torch.randn(3, 11, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not takes_fewer_products(x, conv.weight)
        assert convolve_time(x, conv).dtype == torch.bfloat16
    assert not takes_fewer_products(x.double(), conv.weight.double())


def test_hooks_and_adapters_are_called() -> None:
    class Adapter(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    x, conv, seen = torch.randn(2, 10, 6), nn.Conv1d(6, 6, 9, padding=4), []
    torch.testing.assert_close(convolve_time(x, Adapter()), x + 1)
    conv.register_forward_hook(lambda *_: seen.append(1))
    torch.testing.assert_close(convolve_time(x, conv), plain(x, conv))
    assert len(seen) == 2


def test_traces_and_compilers_see_torchs_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolution, "LARGE", 1)
    conv, x = nn.Conv1d(6, 4, 9, padding=4).requires_grad_(False), torch.randn(3, 14, 6)

    def layer(x: Tensor) -> Tensor:
        return convolve_time(x, conv)

    traced = torch.jit.trace(layer, x[:, :10], check_trace=False)  # type: ignore[no-untyped-call]
    assert "aten::unsqueeze" not in str(traced.inlined_graph)
    torch.testing.assert_close(traced(x), layer(x))
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), layer(x))
