"""The data passed between the steps of the method.

Shapes: B inputs, R rows (B times the copies of each input, each with a mask of its own), T positions, C channels,
N masked positions, V visible tokens, E extra tokens, K averaged layers, H heads.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Dict, List, Optional

import torch
from torch import Tensor

from .masks.mask import Mask
from .tracing import HasX, pytree


@pytree
@dataclass
class Tokens(HasX):
    """Embedded input: ``x`` (B, T, C), ``padding_mask`` (B, T) True where padded, or None.

    A view may select ``visible`` tokens, (R, V) positions, with each row repeated R/B times, and mark rows with fewer
    (``absent``; both as in :class:`Mask`). Once only these are kept, ``order`` (R, V) holds their original positions.
    The first ``extra`` tokens are not from the input.
    """

    x: Tensor
    padding_mask: Optional[Tensor] = None
    visible: Optional[Tensor] = None
    absent: Optional[Tensor] = None
    order: Optional[Tensor] = None
    extra: int = 0

    def sizes(self) -> List[int]:
        """Unpadded lengths of the rows; synchronises with the device if there is padding."""
        if self.padding_mask is None:
            return [self.x.size(1)] * self.x.size(0)
        sizes: List[int] = (~self.padding_mask).sum(1).tolist()
        return sizes

    def detached(self) -> Tokens:
        """The same tokens, detached from the graph."""
        return Tokens(self.x.detach(), self.padding_mask)

    def silenced(self) -> Tokens:
        """The same tokens with padding set to zero."""
        if self.padding_mask is None:
            return self
        return replace(self, x=self.x.masked_fill(self.padding_mask.unsqueeze(-1), 0))

    def gathered(self) -> Tokens:
        """The visible tokens (R, V, C), or all if a view has selected none."""
        if self.visible is None:
            return self
        rows, count = self.visible.shape
        width = self.x.size(1)
        source = torch.arange(rows, device=self.x.device) // (rows // self.x.size(0))
        flat = (self.visible + (source * width).unsqueeze(1)).view(-1)
        padding_mask = self.absent
        if self.padding_mask is not None:
            padding_mask = self.padding_mask.reshape(-1).index_select(0, flat).view(rows, count)
            padding_mask = padding_mask if self.absent is None else padding_mask | self.absent
        return Tokens(at_rows(self.x, flat).view(rows, count, -1), padding_mask, order=self.visible)

    def led_by(self, extra: Optional[Tensor]) -> Tokens:
        """The same with the optional tokens ``extra`` (1, E, C) in front of every row."""
        if extra is None:
            return self
        rows, count = self.x.size(0), extra.size(1)
        x = torch.cat([extra.to(self.x.dtype).expand(rows, -1, -1), self.x], dim=1)
        mask = self.padding_mask
        mask = mask if mask is None else torch.cat([mask.new_zeros(rows, count), mask], dim=1)
        return Tokens(x, mask, order=self.order, extra=count)


def at_rows(x: Tensor, rows: Optional[Tensor]) -> Tensor:
    """(B, T, C) -> (N, C) at the flat positions ``rows`` (N,) of B·T; all of ``x`` if ``rows`` is None."""
    return x if rows is None else x.reshape(-1, x.size(-1)).index_select(0, rows)


def if_whole(x: Tensor, rows: Optional[Tensor]) -> Tensor:
    """The requested rows of (B, T, C); (N, C) is returned as it is."""
    return at_rows(x, rows) if x.dim() == 3 else x


@pytree
@dataclass
class EncoderOutput(HasX):
    """``x`` (B, T, C) and the signals of each recorded layer by name, each (B, T, C).

    Both are (N, C) if rows were requested. ``entered`` (B, T, C) is the input of the first layer, ``extra`` (B, E, C)
    the outputs of the extra tokens.
    """

    x: Tensor
    padding_mask: Optional[Tensor] = None
    layers: List[Dict[str, Tensor]] = field(default_factory=list)
    entered: Optional[Tensor] = None
    extra: Optional[Tensor] = None

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
            self.x[:, :count],
        )


@pytree
@dataclass
class Scored:
    """A term of one step: ``loss`` summed over the ``count`` rows, scale included, and the compared tensors, (N, C)."""

    loss: Tensor
    count: int
    predictions: Tensor
    targets: Tensor


@pytree
@dataclass
class Data2VecOutput:
    """One pre-training step: the ``terms`` of its loss by name, its ``mask``, and the ``local`` tokens."""

    terms: Dict[str, Scored]
    mask: Mask
    local: Optional[Tokens] = None

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
