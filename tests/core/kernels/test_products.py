"""Large products in oneDNN's kernels are torch's linear map, with its gradients and its count of FLOPs."""

from __future__ import annotations

from typing import Any, List, Optional

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from data2vec_plugin.core.kernels import products
from data2vec_plugin.core.kernels.products import Linear, linear_map
from data2vec_plugin.core.kernels.recompute import gelu_linear

needs_onednn = pytest.mark.skipif(
    not (hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.enabled), reason="no oneDNN"
)


class Called(TorchDispatchMode):
    """Names of what is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.names: List[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(function._schema.name)
        return function(*args, **(kwargs or {}))


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every processor counts as one on which oneDNN is the faster one, every product as a large one."""
    monkeypatch.setattr(products, "FASTER", True)
    monkeypatch.setattr(products, "LARGE", 1)


def with_gradients(result: Tensor, inputs: List[Tensor]) -> List[Tensor]:
    weights = torch.linspace(-1, 1, result.numel()).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 8), (2, 5, 8)])
def test_a_large_product_is_torchs(faster: None, shape: List[int], bias: bool) -> None:
    torch.manual_seed(0)
    x, linear = torch.randn(shape, requires_grad=True), Linear(8, 6, bias=bias)
    inputs = [x, *linear.parameters()]
    with Called() as called:
        mine = with_gradients(linear(x), inputs)
    assert called.names.count("mkldnn::_linear_pointwise") == 2
    torch.testing.assert_close(mine, with_gradients(F.linear(x, linear.weight, linear.bias), inputs))


@needs_onednn
def test_a_linear_map_of_gelu_uses_it_too(faster: None) -> None:
    torch.manual_seed(0)
    x, linear = torch.randn(5, 8, requires_grad=True), Linear(8, 6)
    inputs = [x, *linear.parameters()]
    with Called() as called:
        mine = with_gradients(gelu_linear(x, linear), inputs)
    assert called.names.count("mkldnn::_linear_pointwise") == 2
    torch.testing.assert_close(mine, with_gradients(F.linear(F.gelu(x), linear.weight, linear.bias), inputs))


@needs_onednn
def test_frozen_parts_get_no_gradient(faster: None) -> None:
    linear = Linear(8, 6)
    linear.weight.requires_grad_(False)
    linear(torch.randn(3, 8)).sum().backward()
    assert linear.weight.grad is None
    torch.testing.assert_close(linear.bias.grad, torch.full((6,), 3.0))
    with torch.no_grad():
        assert not linear(torch.randn(3, 8)).requires_grad


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_left_to_torch(faster: None, dtype: torch.dtype) -> None:
    x, weight = torch.randn(3, 8, dtype=dtype), torch.randn(6, 8, dtype=dtype)
    with Called() as called:
        made = linear_map(x, weight)
    assert "mkldnn::_linear_pointwise" not in called.names
    torch.testing.assert_close(made, F.linear(x, weight))


@pytest.mark.parametrize("how", ["autocast", "small", "disabled"])
def test_when_torchs_own_is_used(faster: None, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    x, weight = torch.randn(3, 8), torch.randn(6, 8)
    if how == "small":
        monkeypatch.setattr(products, "LARGE", 1 << 29)
    if how == "disabled":
        monkeypatch.setattr(torch.backends.mkldnn, "enabled", False, raising=False)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how == "autocast"), Called() as called:
        made = linear_map(x, weight)
    assert "mkldnn::_linear_pointwise" not in called.names
    assert made.dtype == (torch.bfloat16 if how == "autocast" else torch.float32)


def test_a_trace_has_torchs_own_operation(faster: None) -> None:
    traced = torch.jit.trace(Linear(8, 6), torch.randn(3, 8))  # type: ignore[no-untyped-call]
    assert "mkldnn" not in str(traced.inlined_graph)


@pytest.mark.skipif(not products.FASTER, reason="MKL is as fast on this processor")
def test_flops_are_counted() -> None:
    def flops(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> int:
        with FlopCounterMode(display=False) as counted:
            linear_map(x, weight, bias)
        return counted.get_total_flops()

    x, weight = torch.randn(2, 1024, 512), torch.randn(512, 512)
    assert x.numel() * 512 == products.LARGE
    assert flops(x, weight, torch.zeros(512)) == 2 * products.LARGE
    assert flops(x[:1], weight, torch.zeros(512)) == products.LARGE


@pytest.mark.parametrize(("vendor", "wanted"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_the_processor_decides(vendor: str, wanted: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(products, "PROCESSORS", tmp_path / "cpuinfo")
    assert not products._faster()
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {vendor}\n")
    assert products._faster() == (wanted and hasattr(torch.ops.mkldnn, "_linear_pointwise"))


def test_it_is_a_linear_layer() -> None:
    """For adapters and code that look for them."""
    assert isinstance(Linear(2, 3), nn.Linear)
    assert list(Linear(2, 3).state_dict()) == ["weight", "bias"]
