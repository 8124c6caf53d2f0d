"""Applies a mask to the student's tokens (section 3.1)."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from .masks.mask import Mask
from .outputs import Tokens


class PlainView(nn.Module):
    """Applies dropout only: the source is already masked, or nothing is."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens, mask: Optional[Mask] = None) -> Tokens:
        """(B, T, C) -> the same; the mask is not applied here."""
        return Tokens(self.dropout(tokens.x), tokens.padding_mask)


class MaskedView(PlainView):
    """Replaces masked tokens by a learned embedding, and sets masked channels to zero.

    With ``channels_first`` the channels are zeroed before the embedding is inserted, so that it keeps its own.
    """

    def __init__(self, dim: int, dropout: float = 0.0, channels_first: bool = False) -> None:
        super().__init__(dropout)
        self.mask_emb = nn.Parameter(torch.empty(dim).uniform_())
        self.channels_first = channels_first

    def forward(self, tokens: Tokens, mask: Optional[Mask] = None) -> Tokens:
        """(B, T, C) -> the same, masked where the ``mask`` says."""
        seen = super().forward(tokens)
        if mask is None:
            return seen
        x = zero_channels(seen.x, mask.channels if self.channels_first else None)
        x = torch.where(mask.indices.unsqueeze(-1), self.mask_emb.to(x.dtype), x)
        return Tokens(zero_channels(x, None if self.channels_first else mask.channels), seen.padding_mask)


def zero_channels(x: Tensor, channels: Optional[Tensor]) -> Tensor:
    """Zero the channels marked in (B, C) or (B, T, C), if any are."""
    if channels is None:
        return x
    return x.masked_fill(channels if channels.dim() == 3 else channels.unsqueeze(1), 0)


class VisibleView(PlainView):
    """Marks the visible tokens of each masked copy; the encoder then selects them (data2vec 2.0, section 3.2).

    If positions depend on neighbouring tokens (``positions_mix``), masked tokens are set to zero, or to noise of
    standard deviation ``noise``, before positions are computed. The same applies to masks without visible positions, as
    in fine-tuning, where masked tokens are kept.
    """

    gathers = True

    def __init__(self, dropout: float = 0.0, positions_mix: bool = False, noise: Optional[float] = None) -> None:
        super().__init__(dropout)
        self.positions_mix = positions_mix
        self.noise = noise

    def forward(self, tokens: Tokens, mask: Optional[Mask] = None) -> Tokens:
        """(B, T, C) -> the same, or (R, T, C) if copies have to differ, with the visible positions."""
        seen = super().forward(tokens)
        if mask is None:
            return seen
        if self.positions_mix or mask.visible is None or mask.channels is not None:
            seen = self.blanked(seen, mask)
        return Tokens(seen.x, seen.padding_mask, mask.visible, mask.absent)

    def blanked(self, tokens: Tokens, mask: Mask) -> Tokens:
        """Each row repeated for its copies, with masked tokens blanked."""
        copies = mask.indices.size(0) // tokens.x.size(0)
        x, padding_mask = tokens.x, tokens.padding_mask
        if copies > 1:
            x = x.repeat_interleave(copies, 0)
            padding_mask = None if padding_mask is None else padding_mask.repeat_interleave(copies, 0)
        hidden = mask.indices.unsqueeze(-1)
        x = x.masked_fill(hidden, 0) if self.noise is None else torch.where(hidden, self.drawn_noise(x, self.noise), x)
        return Tokens(zero_channels(x, mask.channels), padding_mask)

    def drawn_noise(self, x: Tensor, deviation: float) -> Tensor:
        """The replacement of masked tokens, of the shape of ``x``."""
        return noise_like(x, deviation)


def noise_like(x: Tensor, deviation: float) -> Tensor:
    """Normal noise of the shape of ``x``."""
    return torch.empty_like(x).normal_(0, deviation)
