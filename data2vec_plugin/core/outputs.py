"""What travels between the steps of the method. B batch, T positions, C channels, N masked positions."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
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

    # torch 2.1 has it under its private name only, and does not know how to name a class in a saved program
    register = getattr(_pytree, "register_pytree_node", None)
    if register is None:
        _pytree._register_pytree_node(cls, flatten, unflatten)
    else:
        register(cls, flatten, unflatten, serialized_type_name=f"{cls.__module__}.{cls.__qualname__}")
    return cls


class HasX:
    """What a module gives whose first tensor is ``x``: torch's old backward hooks look for it at 0."""

    x: Tensor

    def __getitem__(self, index: int) -> Tensor:
        return (self.x,)[index]


@pytree
@dataclass
class Tokens(HasX):
    """Embedded input, before any mask: ``x`` (B, T, C), ``padding_mask`` (B, T) True where padded, or None."""

    x: Tensor
    padding_mask: Optional[Tensor] = None

    def sizes(self) -> List[int]:
        """Lengths of the rows without their padding; waits for the device if they are padded there."""
        if self.padding_mask is None:
            return [self.x.size(1)] * self.x.size(0)
        sizes: List[int] = (~self.padding_mask).sum(1).tolist()
        return sizes

    def detached(self) -> Tokens:
        """The same without a way back for gradients."""
        return Tokens(self.x.detach(), self.padding_mask)

    def led_by(self, extra: Tensor) -> Tokens:
        """The same with the tokens ``extra`` (1, E, C) in front of every row."""
        rows, count = self.x.size(0), extra.size(1)
        x = torch.cat([extra.to(self.x.dtype).expand(rows, -1, -1), self.x], dim=1)
        mask = self.padding_mask
        return Tokens(x, mask if mask is None else torch.cat([mask.new_zeros(rows, count), mask], dim=1))


@pytree
@dataclass
class Mask:
    """Positions hidden from the student.

    ``indices`` is (B, T) bool; ``positions`` are the same as ascending flat indices into B·T (N,), so that
    nothing has to be counted on the device; ``channels`` (B, C) or (B, T, C) bool zeroes whole channels.
    """

    indices: Tensor
    positions: Tensor
    channels: Optional[Tensor] = None

    @classmethod
    def of(cls, entries: Mapping[str, Tensor]) -> Mask:
        """The mask that :meth:`as_dict` made such entries of; raises ValueError for others."""
        unknown = sorted(set(entries) - {"indices", "positions", "channels"})
        if unknown or "indices" not in entries:
            raise ValueError(
                f"a mask has the entries {', '.join(f'`{name}`' for name in entries) or 'none'}; expected `indices`, "
                f"and, if there are any, `positions` and `channels`"
            )
        return cls.given(**entries)

    @classmethod
    def given(cls, indices: Tensor, positions: Optional[Tensor] = None, channels: Optional[Tensor] = None) -> Mask:
        """A mask from outside. Without ``positions`` they are counted, which waits for a CUDA tensor.

        Raises ValueError where ``positions`` are not those of ``indices``, as far as that is known without waiting.
        """
        indices = indices.bool()
        if positions is None:
            positions = _flat_positions(indices)
        elif indices.device.type == positions.device.type == "cpu":
            _check_positions(positions, _flat_positions(indices))
        return cls(indices, positions, None if channels is None else channels.bool())

    @classmethod
    def of_rows(cls, rows: NDArray[np.bool_]) -> Mask:
        """What a masker has drawn: (B, T), True where hidden."""
        return cls(torch.from_numpy(rows), torch.from_numpy(np.flatnonzero(rows)))

    def as_dict(self) -> Dict[str, Tensor]:
        """The tensors by name, as a sample carries them: hosts move dicts to a device, and know no classes of ours."""
        entries = {"indices": self.indices, "positions": self.positions}
        return entries if self.channels is None else {**entries, "channels": self.channels}

    def to(self, device: torch.device) -> Mask:
        """The same on a device, without waiting for it."""
        moved = {name: tensor.to(device, non_blocking=True) for name, tensor in self.as_dict().items()}
        return Mask(moved["indices"], moved["positions"], moved.get("channels"))

    @property
    def count(self) -> int:
        """Number of masked positions, known without a device synchronisation."""
        return self.positions.numel()


def _flat_positions(indices: Tensor) -> Tensor:
    return indices.reshape(-1).nonzero().squeeze(1)


def _check_positions(positions: Tensor, counted: Tensor) -> None:
    if not torch.equal(positions, counted):
        raise ValueError(
            f"`positions` of a mask are {positions.numel()} ({positions.flatten()[:5].tolist()}, …), but its `indices` "
            f"hide {counted.numel()} ({counted[:5].tolist()}, …); expected the ascending flat indices of the same"
        )


def at_rows(x: Tensor, rows: Optional[Tensor]) -> Tensor:
    """(B, T, C) -> (N, C) at the flat positions ``rows`` (N,) of B·T; all of it if there are none."""
    return x if rows is None else x.reshape(-1, x.size(-1)).index_select(0, rows)


def if_whole(x: Tensor, rows: Optional[Tensor]) -> Tensor:
    """What is wanted of (B, T, C); (N, C) is that already."""
    return at_rows(x, rows) if x.dim() == 3 else x


@pytree
@dataclass
class EncoderOutput(HasX):
    """``x`` (B, T, C) and, for each layer that was asked for, its signals by name, each (B, T, C).

    Both are (N, C) where rows were asked for. ``entered`` (B, T, C) is what the first layer read.
    """

    x: Tensor
    padding_mask: Optional[Tensor] = None
    layers: List[Dict[str, Tensor]] = field(default_factory=list)
    entered: Optional[Tensor] = None

    def signal(self, name: str) -> List[Tensor]:
        """The named signal of every recorded layer, lowest layer first."""
        return [layer[name] for layer in self.layers]

    def without_first(self, count: int) -> EncoderOutput:
        """The same without the first ``count`` tokens of every row, in the output and in every signal."""
        return EncoderOutput(
            self.x[:, count:],
            None if self.padding_mask is None else self.padding_mask[:, count:],
            [{name: signal[:, count:] for name, signal in layer.items()} for layer in self.layers],
            None if self.entered is None else self.entered[:, count:],
        )


@pytree
@dataclass
class Scored:
    """A term of one step: ``loss`` summed over the ``count`` rows, scale included, and what it compared, (N, C)."""

    loss: Tensor
    count: int
    predictions: Tensor
    targets: Tensor


@pytree
@dataclass
class Data2VecOutput:
    """One pre-training step: the ``terms`` of its loss by name, and the ``mask`` that they are of."""

    terms: Dict[str, Scored]
    mask: Mask

    def __getitem__(self, index: int) -> Tensor:
        return (self.loss,)[index]

    @property
    def loss(self) -> Tensor:
        """The sum of all terms."""
        first, *rest = (term.loss for term in self.terms.values())
        return sum(rest, first)

    @property
    def predictions(self) -> Tensor:
        """Those of the first term, (N, C)."""
        return next(iter(self.terms.values())).predictions

    @property
    def targets(self) -> Tensor:
        """Those of the first term, (N, C)."""
        return next(iter(self.terms.values())).targets

    @property
    def sample_size(self) -> int:
        """Number of regressed positions, by which the trainer divides the gradient."""
        return self.mask.count
