"""Dataclasses that torch's tracers can look into: `torch.export`, `torch.compile`, module hooks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, List, Tuple, Type, TypeVar

from torch import Tensor
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
