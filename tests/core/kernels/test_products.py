"""Large products in oneDNN's kernels are torch's linear map, with its gradients and its count of FLOPs."""

from __future__ import annotations

from typing import Any, List, Optional, Tuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.flop_counter import FlopCounterMode

from data2vec_plugin.core.kernels import products
from data2vec_plugin.core.kernels.products import linear_map, project
from data2vec_plugin.core.kernels.recompute import gelu_linear

Size = Tuple[int, ...]
needs_onednn = pytest.mark.skipif(
    not (hasattr(torch.ops.mkldnn, "_linear_pointwise") and torch.backends.mkldnn.enabled), reason="no oneDNN"
)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> List[Size]:
    """Shapes of what oneDNN multiplies; every processor counts as AMD's, every product as a large one."""
    found: List[Size] = []
    multiplied = products.multiplied

    def counted(x: Tensor, weight: Tensor, bias: Optional[Tensor]) -> Tensor:
        found.append(x.shape)
        return multiplied(x, weight, bias)

    monkeypatch.setattr(products, "multiplied", counted)
    monkeypatch.setattr(products, "FASTER", True)
    monkeypatch.setattr(products, "LARGE", 1)
    return found


def with_gradients(result: Tensor, inputs: List[Tensor]) -> List[Tensor]:
    weights = torch.linspace(-1, 1, result.numel()).view_as(result)
    return [result.detach(), *torch.autograd.grad((result * weights).sum(), inputs)]


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7, 8), (2, 5, 8)])
def test_a_large_product_is_torchs(calls: List[Size], shape: Tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    x, linear = torch.randn(shape, requires_grad=True), nn.Linear(8, 6, bias=bias)
    inputs = [x, *linear.parameters()]
    mine = with_gradients(project(x, linear), inputs)
    assert calls == [x.shape, (*shape[:-1], 6)]
    torch.testing.assert_close(mine, with_gradients(F.linear(x, linear.weight, linear.bias), inputs))


@needs_onednn
def test_strided_inputs_and_gradients(calls: List[Size]) -> None:
    x, linear = torch.randn(2, 8, 5).transpose(1, 2).requires_grad_(), nn.Linear(8, 6)
    project(x, linear).sum().backward()  # whose gradient is one number, expanded
    assert x.grad is not None
    torch.testing.assert_close(x.grad, linear.weight.sum(0).expand(2, 5, 8))
    assert len(calls) == 2


@needs_onednn
def test_a_linear_map_of_gelu_uses_it_too(calls: List[Size]) -> None:
    torch.manual_seed(0)
    x, linear = torch.randn(5, 8, requires_grad=True), nn.Linear(8, 6)
    inputs = [x, *linear.parameters()]
    mine = with_gradients(gelu_linear(x, linear), inputs)
    assert calls == [(5, 8), (5, 6)]
    torch.testing.assert_close(mine, with_gradients(F.linear(F.gelu(x), linear.weight, linear.bias), inputs))


@needs_onednn
def test_gradients_of_gradients(calls: List[Size]) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(5, 8, requires_grad=True), torch.randn(6, 8, requires_grad=True)

    def penalty(made: Tensor) -> List[Tensor]:
        (of_x,) = torch.autograd.grad(made.square().sum(), x, create_graph=True)
        return list(torch.autograd.grad(of_x.square().sum(), [x, weight]))

    torch.testing.assert_close(penalty(linear_map(x, weight)), penalty(F.linear(x, weight)))


@needs_onednn
@pytest.mark.parametrize("frozen", ["weight", "input"])
def test_what_is_frozen_keeps_nothing(calls: List[Size], frozen: str) -> None:
    linear, x = nn.Linear(8, 6), torch.randn(3, 8, requires_grad=frozen == "weight")
    linear.weight.requires_grad_(frozen == "input")
    kept: List[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        made = project(x, linear)
    assert kept == [(linear.weight if frozen == "weight" else x).data_ptr()]
    made.sum().backward()
    assert (linear.weight.grad is None) == (frozen == "weight")
    torch.testing.assert_close(linear.bias.grad, torch.full((6,), 3.0))
    with torch.no_grad():
        assert not project(x, linear).requires_grad
    assert len(calls) == (3 if frozen == "weight" else 2)


@needs_onednn
def test_results_can_be_changed_in_place(calls: List[Size]) -> None:
    made = project(torch.randn(2, 5, 8), nn.Linear(8, 6))
    made.add_(1).sum().backward()
    assert calls


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_are_left_to_torch(calls: List[Size], dtype: torch.dtype) -> None:
    x, weight = torch.randn(3, 8, dtype=dtype), torch.randn(6, 8, dtype=dtype)
    torch.testing.assert_close(linear_map(x, weight), F.linear(x, weight))
    assert not calls


@pytest.mark.parametrize("how", ["autocast", "small", "disabled", "another processor"])
def test_when_torchs_own_is_used(calls: List[Size], monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    x, weight = torch.randn(3, 8), torch.randn(6, 8)
    if how == "small":
        monkeypatch.setattr(products, "LARGE", 1 << 29)
    if how == "disabled":
        monkeypatch.setattr(torch.backends.mkldnn, "enabled", False, raising=False)
    if how == "another processor":
        monkeypatch.setattr(products, "FASTER", False)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=how == "autocast"):
        made = linear_map(x, weight)
    assert not calls
    assert made.dtype == (torch.bfloat16 if how == "autocast" else torch.float32)


def test_traces_and_compilers_see_torchs_own(calls: List[Size]) -> None:
    linear, x = nn.Linear(8, 6).requires_grad_(False), torch.randn(3, 8)
    traced = torch.jit.trace(lambda x: project(x, linear), x, check_trace=False)  # type: ignore[no-untyped-call]
    assert "aten::linear" in str(traced.inlined_graph)
    compiled = torch.compile(lambda x: project(x, linear), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), linear(x))
    assert not calls


def test_flops_are_counted(calls: List[Size]) -> None:
    x, weight = torch.randn(2, 16, 8), torch.randn(6, 8)
    with FlopCounterMode(display=False) as counted:
        linear_map(x, weight)
    assert counted.get_total_flops() == 2 * x.numel() * 6
    assert not calls


@pytest.mark.parametrize(("vendor", "wanted"), [("AuthenticAMD", True), ("GenuineIntel", False)])
def test_the_processor_decides(vendor: str, wanted: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(products, "PROCESSORS", tmp_path / "cpuinfo")
    assert not products._faster()
    (tmp_path / "cpuinfo").write_text(f"vendor_id\t: {vendor}\n")
    assert products._faster() == (wanted and hasattr(torch.ops.mkldnn, "_linear_pointwise"))


def test_adapters_and_hooks_are_called(calls: List[Size]) -> None:
    class Adapter(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1

    x, linear, seen = torch.randn(3, 8), nn.Linear(8, 6), []
    torch.testing.assert_close(project(x, Adapter(8, 8)), x + 1)
    handles = [
        linear.register_forward_hook(lambda *_: seen.append("forward")),
        linear.register_full_backward_hook(lambda *_: seen.append("backward")),
    ]
    project(x.requires_grad_(), linear).sum().backward()
    assert seen == ["forward", "backward"]
    for handle in handles:
        handle.remove()
    handle = register_module_forward_hook(lambda *_: seen.append("global"))
    project(x, linear)
    handle.remove()
    assert seen[2:] == ["global"]
    linear.forward = lambda x: x + 2  # type: ignore[method-assign]
    torch.testing.assert_close(project(x, linear), x + 2)
    assert not calls
