"""The interface of positions in an encoder."""

from __future__ import annotations

from typing import Optional, Protocol, Sequence

from torch import Tensor, nn

from ..outputs import Tokens

Biases = Sequence[Optional[Tensor]]
"""Biases added to attention scores, broadcasting to (B, H, T, T): one for all layers, or one for each."""


class Positions(Protocol):
    """The positions of a modality, a part of the encoder."""

    def added(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """Tokens with their positions: (B, T, C) -> (B, T, C)."""

    def biases(self, tokens: Tokens, layers: Sequence[nn.Module]) -> Biases:
        """Biases of the attention of ``layers``, which read ``tokens``."""


class NoPositions(nn.Module):
    """No positions, or positions that the tokens already contain."""

    def added(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """Tokens as they are."""
        return x

    def biases(self, tokens: Tokens, layers: Sequence[nn.Module]) -> Biases:
        """None for all layers."""
        return (None,)
