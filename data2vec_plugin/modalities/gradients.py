"""How much of a gradient reaches what is next to the raw input."""

from __future__ import annotations

import contextlib
from typing import Callable, ContextManager

import torch
from torch import Tensor


def with_gradient(compute: Callable[[], Tensor], scale: float) -> Tensor:
    """What ``compute`` gives, with ``scale`` times its gradient; none of it is kept where that is 0 or less."""
    frozen: ContextManager[object] = torch.no_grad() if scale <= 0 else contextlib.nullcontext()
    with frozen:
        computed = compute()
    if scale not in (0, 1) and computed.requires_grad:
        computed.register_hook(lambda gradient: gradient * scale)
    return computed
