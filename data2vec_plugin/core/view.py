"""How the student sees tokens of which some are masked (section 3.1)."""

from __future__ import annotations

from typing import Optional

import torch
from torch import Tensor, nn

from .outputs import Mask, Tokens


class PlainView(nn.Module):
    """Tokens as they are, but for dropout: where the source comes masked already, or nothing is masked."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tokens, mask: Optional[Mask] = None) -> Tokens:
        """(B, T, C) -> the same; the mask is somebody else's."""
        return Tokens(self.dropout(tokens.x), tokens.padding_mask)


class MaskedView(PlainView):
    """A learned embedding in place of masked tokens; masked channels are zero, with ``channels_first`` not in it."""

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
