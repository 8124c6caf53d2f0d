"""Costs of an update other than time: number of kernels, and bytes stored for the backward pass."""

import weakref
from typing import Any, Callable, Iterable

import torch
from torch.utils._python_dispatch import TorchDispatchMode

VIEWS = {
    *("alias", "as_strided", "chunk", "detach", "detach_", "diagonal", "expand", "narrow", "permute", "reshape"),
    *(
        "_reshape_alias",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "t",
        "transpose",
        "unbind",
        "unfold",
    ),
    *("_unsafe_view", "unsqueeze", "view", "view_as", "lift_fresh"),
    *("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"),
}
"""Operators without computation: views and allocations."""


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += function._schema.name.split("::")[-1] not in VIEWS
        return function(*args, **(kwargs or {}))


def kernels(work: Callable[[], Any]) -> int:
    """Number of operators with computation in ``work``."""
    with _Counter() as counter:
        work()
    return counter.count


class _Kept:
    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def bytes_kept(forward: Callable[[], Any], beside: Iterable[torch.Tensor]) -> int:
    """Bytes of distinct storages that ``forward`` stores for the backward pass, except those in ``beside``."""
    known = {tensor.untyped_storage().data_ptr() for tensor in beside}
    kept: weakref.WeakSet[_Kept] = weakref.WeakSet()

    def pack(tensor: torch.Tensor) -> _Kept:
        entry = _Kept(tensor)
        kept.add(entry)
        return entry

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda entry: entry.tensor):
        result = forward()
    storages = {entry.tensor.untyped_storage().data_ptr(): entry.tensor.untyped_storage().nbytes() for entry in kept}
    del result
    return sum(size for pointer, size in storages.items() if pointer not in known)
