"""Build models whose weights are loaded next without drawing initial values, which takes most of the time."""

from __future__ import annotations

from contextlib import contextmanager
from threading import RLock
from typing import Any, Iterator

from torch import Tensor, nn

RANDOM = (
    *("normal_", "uniform_", "trunc_normal_"),
    *("xavier_normal_", "xavier_uniform_", "kaiming_normal_", "kaiming_uniform_"),
)
"""The functions of `torch.nn.init` that fill weights with random numbers."""

_REPLACING = RLock()


@contextmanager
def without_values() -> Iterator[None]:
    """Context in which `torch.nn.init` draws nothing: weights keep what their memory held.

    Only for a model all of whose weights are loaded afterwards, with ``strict=True``. The functions are replaced for
    the whole process: one thread at a time may do so, and others may not build models meanwhile. It must be these, not
    the tensors' methods that they call: `trunc_normal_` may draw until all values are in range, and memory's may never
    be.
    """
    with _REPLACING:
        stock = {name: getattr(nn.init, name) for name in RANDOM}
        for name in RANDOM:
            setattr(nn.init, name, _unchanged)
        try:
            yield
        finally:
            for name, function in stock.items():
                setattr(nn.init, name, function)


def _unchanged(tensor: Tensor, *_: Any, **__: Any) -> Tensor:
    return tensor
