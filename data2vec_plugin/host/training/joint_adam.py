"""fairseq's Adam for many parameters at a time.

Where apex is missing, fairseq goes through the parameters one by one, eight kernels each, which costs more time to
launch than to compute, on a GPU and for small models. torch's fused AdamW computes the same in one kernel, up to
rounding; where it is missing, eight kernels for all parameters give fairseq's numbers to the last bit. The state is
fairseq's own, so checkpoints go from one to the other.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple, cast

import torch
from fairseq.optim.adam import Adam
from torch import Tensor
from torch.nn import Parameter

from .optimizer import wrappers

AT_A_TIME = 1 << 25
"""Numbers in a chunk of parameters; without the fused kernel, the chunk's denominators are in memory (128 MiB)."""


def step_jointly(optimizer: Any) -> None:
    """Replace fairseq's own Adam over several fp32 parameters by :class:`JointAdam` in an optimizer, in place."""
    for wrapper in wrappers(optimizer):
        inner: Any = getattr(wrapper, "_optimizer", None)
        if suits(inner):
            wrapper._optimizer = JointAdam(inner.param_groups, **inner.defaults)


def suits(inner: Any) -> bool:
    """Whether ``inner`` is fairseq's Adam over several fp32 parameters, without `amsgrad`, before its first step."""
    if type(inner) is not Adam or inner.state or any(group.get("amsgrad") for group in inner.param_groups):
        return False
    parameters = [parameter for group in inner.param_groups for parameter in group["params"]]
    return len(parameters) > 1 and all(parameter.dtype == torch.float32 for parameter in parameters)


class Stepped(NamedTuple):
    """A parameter in its step: its gradient, the running means of the gradient and of its square, the step's number."""

    value: Tensor
    gradient: Tensor
    mean: Tensor
    square: Tensor
    step: int


class JointAdam(Adam):
    """fairseq's Adam, decoupled weight decay included, on fp32 parameters and without `amsgrad`."""

    @torch.no_grad()
    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:
        """Update the parameters that have a gradient; return the closure's loss."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameters in portions(group["params"]):
                self._step(group, parameters)
        return loss

    def _step(self, group: Dict[str, Any], parameters: List[Parameter]) -> None:
        """Update some parameters of a group, all of which have gradients."""
        fused: Dict[Tuple[int, torch.device], List[Stepped]] = {}
        rest: List[Stepped] = []
        for parameter in parameters:
            each = self._stepped(parameter)
            (fused.setdefault((each.step, each.value.device), []) if suits_fused(each) else rest).append(each)
        for (step, _), together in fused.items():
            step_fused(group, together, step)
        if rest:
            step_each_kernel(group, rest)

    def _stepped(self, parameter: Parameter) -> Stepped:
        """Return a parameter with a gradient and its state, with one more step counted."""
        state, gradient = self._state(parameter), cast(Tensor, parameter.grad)
        return Stepped(parameter, gradient, state["exp_avg"], state["exp_avg_sq"], state["step"])

    def _state(self, parameter: Parameter) -> Dict[str, Any]:
        """Return a parameter's state, on its device, with one more step counted."""
        if parameter.grad is not None and parameter.grad.is_sparse:
            raise RuntimeError("Adam does not support sparse gradients; use a dense embedding")
        state: Dict[str, Any] = self.state[parameter]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        for field in ("exp_avg", "exp_avg_sq"):
            moment: Tensor = state[field]
            if moment.dtype != parameter.dtype or moment.device != parameter.device:
                state[field] = moment.to(parameter)
        state["step"] += 1
        return state


def suits_fused(stepped: Stepped) -> bool:
    """Whether torch's kernel can be used: it requires one order in memory."""
    value, gradient, mean, square, _ = stepped
    order = value.stride()
    same = gradient.stride() == order and mean.stride() == order and square.stride() == order
    return same and value.is_contiguous() and has_fused(value.device.type)


@cache
def has_fused(device: str) -> bool:
    """Whether this torch has a fused AdamW on a type of device; on CPUs it has since 2.4."""
    value, gradient, mean, square = (torch.zeros(1, device=device, dtype=torch.float32) for _ in range(4))
    group = {"lr": 0.0, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0}
    try:
        step_fused(group, [Stepped(value, gradient, mean, square, 1)], 1)
    except (AttributeError, NotImplementedError):
        return False
    return True


def columns(stepped: Sequence[Stepped]) -> Tuple[List[Tensor], List[Tensor], List[Tensor], List[Tensor]]:
    """Values, gradients, means and squares, as torch's functions for many tensors take them."""
    return (
        [each.value for each in stepped],
        [each.gradient for each in stepped],
        [each.mean for each in stepped],
        [each.square for each in stepped],
    )


def step_fused(group: Dict[str, Any], stepped: Sequence[Stepped], step: int) -> None:
    """Update parameters that all take the same step, in one kernel.

    fairseq adds eps before the second moment's bias is corrected, torch after it.
    """
    values, gradients, means, squares = columns(stepped)
    beta1, beta2 = group["betas"]
    count = torch.full((), step, dtype=torch.float32, device=stepped[0].value.device)
    torch._fused_adamw_(
        values,
        gradients,
        means,
        squares,
        [],
        [count] * len(values),
        lr=group["lr"],
        beta1=beta1,
        beta2=beta2,
        weight_decay=group["weight_decay"],
        eps=group["eps"] / math.sqrt(1 - beta2**step),
        amsgrad=False,
        maximize=False,
    )


def step_each_kernel(group: Dict[str, Any], stepped: Sequence[Stepped]) -> None:
    """Update parameters with fairseq's kernels, each for all of them."""
    values, gradients, means, squares = columns(stepped)
    beta1, beta2 = group["betas"]
    torch._foreach_mul_(means, beta1)
    torch._foreach_add_(means, gradients, alpha=1 - beta1)
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
    denominators = torch._foreach_sqrt(squares)
    torch._foreach_add_(denominators, group["eps"])
    if group["weight_decay"] != 0:
        torch._foreach_add_(values, values, alpha=-group["weight_decay"] * group["lr"])
    sizes = [-group["lr"] * unbiased(each.step, beta1, beta2) for each in stepped]
    torch._foreach_addcdiv_(values, means, denominators, sizes)


def portions(parameters: List[Parameter]) -> Iterator[List[Parameter]]:
    """Yield the parameters with a gradient in chunks of at most AT_A_TIME numbers, or of a single larger one."""
    portion: List[Parameter] = []
    held = 0
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if portion and held + parameter.numel() > AT_A_TIME:
            yield portion
            portion, held = [], 0
        portion.append(parameter)
        held += parameter.numel()
    if portion:
        yield portion


def unbiased(step: int, beta1: float, beta2: float) -> float:
    """Return the factor that corrects the bias of both moments after ``step`` steps."""
    return math.sqrt(1 - beta2**step) / (1 - beta1**step)
