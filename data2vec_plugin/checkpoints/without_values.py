"""Models whose weights are to be loaded are built without drawing initial values, which takes half of the time."""

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
"""What fills weights with random numbers. A mode sees the outer one of two functions that call each other."""


class WithoutValues(TorchFunctionMode):
    """Within it random initial values are not drawn: a weight holds what its memory held.

    Only for a model all of whose weights are loaded afterwards, with ``strict=True``.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Optional[Mapping[str, Any]] = None,
    ) -> Any:
        """The tensor as it is, or what any other function gives."""
        if func in DRAWN:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
