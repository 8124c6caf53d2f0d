"""Build a model without drawing initial values, which would take half of the time, if its weights are loaded anyway."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

RANDOM = [
    *("normal_", "uniform_", "trunc_normal_"),
    *("xavier_normal_", "xavier_uniform_"),
    "kaiming_normal_",
    "kaiming_uniform_",
]
DRAWN = {*(getattr(nn.init, name) for name in RANDOM), Tensor.normal_, Tensor.uniform_}
"""Functions that fill weights with random numbers. If one calls another, a mode only sees the outer one."""


class WithoutValues(TorchFunctionMode):
    """Mode in which random initial values are not drawn: weights stay uninitialised.

    Use it only if all weights of the model are loaded afterwards, with ``strict=True``.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """Return the tensor unchanged for a function in ``DRAWN``; call any other function."""
        if func in DRAWN:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
