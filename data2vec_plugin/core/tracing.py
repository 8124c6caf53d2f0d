"""What torch's tracers (`torch.export`, `torch.compile`, ONNX, module hooks) need: dataclasses that they can look into.
And functions that say whether a tracer, autocast, a counter of operations or a hook is at work."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Callable, List, Tuple, Type, TypeVar

import torch
from torch import Tensor, nn
from torch.utils import _pytree

Class = TypeVar("Class")


def pytree(cls: Type[Class]) -> Type[Class]:
    """Register a dataclass, all of whose fields are its children; use it as a decorator."""
    names = [field.name for field in fields(cls)]  # type: ignore[arg-type]

    def flatten(value: Any) -> Tuple[List[Any], None]:
        return [getattr(value, name) for name in names], None

    def unflatten(children: Any, _: None) -> Class:
        return cls(*children)

    # torch 2.1 only has a private name for it, and cannot name a class in a saved program
    register = getattr(_pytree, "register_pytree_node", None)
    if register is None:
        _pytree._register_pytree_node(cls, flatten, unflatten)
    else:
        register(cls, flatten, unflatten, serialized_type_name=f"{cls.__module__}.{cls.__qualname__}")
    return cls


class HasX:
    """A module output whose first tensor is ``x``: torch's old backward hooks expect it at index 0."""

    x: Tensor

    def __getitem__(self, index: int) -> Tensor:
        return (self.x,)[index]


def _compiling() -> Callable[[], bool]:
    """The function that says whether a compiler is tracing: torch before 2.3 has it in another module."""
    found: Any = getattr(torch.compiler, "is_compiling", None)
    if found is None:
        from torch._dynamo import is_compiling as found
    return found  # type: ignore[no-any-return]


IS_COMPILING = _compiling()


def compiles() -> bool:
    """Whether a compiler is tracing."""
    return bool(IS_COMPILING())


def is_traced() -> bool:
    """Whether operations are traced, as by torch's ONNX exporter, which only knows torch's own."""
    traced: bool = torch.jit.is_tracing()  # type: ignore[no-untyped-call]
    return traced


def _asked_by_device() -> bool:
    """Whether torch says for which device it casts, as it does from 2.4 on."""
    try:
        torch.is_autocast_enabled("cpu")
    except TypeError:
        return False
    return True


ASKED_BY_DEVICE = _asked_by_device()
"""Found out once: torch.compile of earlier versions does not trace the attempt."""


def autocasts() -> bool:
    """Whether operations choose their own precision, on a CPU or a CUDA device."""
    if ASKED_BY_DEVICE:
        return torch.is_autocast_enabled("cuda") or torch.is_autocast_enabled("cpu")
    return torch.is_autocast_enabled() or torch.is_autocast_cpu_enabled()


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
OF_ALL_MODULES = tuple(getattr(torch.nn.modules.module, f"_global{name}") for name in HOOKS)


def is_plain(layer: nn.Module, *kinds: type) -> bool:
    """Whether a layer is of one of the ``kinds``, not an adapter of another class, and nothing waits for its call.

    Compilers and traces do: they name operations after layers, and old compilers cannot read what a layer has.
    """
    if compiles() or is_traced():
        return False
    own = vars(layer)
    hooked = any(own[name] for name in HOOKS) or any(OF_ALL_MODULES)
    return type(layer) in kinds and "forward" not in own and not hooked


def is_watched() -> bool:
    """Whether operations are counted or replaced, as by torch's counter of FLOPs, which only knows torch's own."""
    return bool(torch._C._len_torch_dispatch_stack())
