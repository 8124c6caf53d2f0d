"""fairseq's Adam for many parameters at a time: the same numbers from a fraction of the kernels.

Where apex is missing fairseq goes through the parameters one by one, eight kernels each, which costs a GPU more time to
launch than to compute. Its state stays what it is, so checkpoints go from one to the other.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, Iterator, List, Optional

import torch
from fairseq.optim.adam import Adam
from torch import Tensor
from torch.nn import Parameter

from .optimizer import wrappers

AT_A_TIME = 1 << 25
"""Numbers in a chunk of parameters, whose denominators are in memory together (128 MiB)."""


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
        states = [self._state(parameter) for parameter in parameters]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        values: List[Tensor] = [*parameters]
        means, squares = ([state[field] for state in states] for field in ("exp_avg", "exp_avg_sq"))
        beta1, beta2 = group["betas"]
        torch._foreach_mul_(means, beta1)
        torch._foreach_add_(means, gradients, alpha=1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
        denominators = torch._foreach_sqrt(squares)
        torch._foreach_add_(denominators, group["eps"])
        if group["weight_decay"] != 0:
            torch._foreach_add_(values, values, alpha=-group["weight_decay"] * group["lr"])
        sizes = [-group["lr"] * unbiased(state["step"], beta1, beta2) for state in states]
        torch._foreach_addcdiv_(values, means, denominators, sizes)

    def _state(self, parameter: Parameter) -> Dict[str, Any]:
        """Return a parameter's state, on its device, with one more step counted."""
        if parameter.grad is not None and parameter.grad.is_sparse:
            raise RuntimeError("Adam does not support sparse gradients; use a dense embedding")
        state: Dict[str, Any] = self.state[parameter]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(parameter), exp_avg_sq=torch.zeros_like(parameter))
        for field in ("exp_avg", "exp_avg_sq"):
            moment: Tensor = state[field]
            state[field] = moment.to(parameter)
        state["step"] += 1
        return state


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
