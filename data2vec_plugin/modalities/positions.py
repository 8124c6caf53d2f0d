"""Convolutional position encoders of speech (section 4.2; wav2vec 2.0, section 2)."""

from __future__ import annotations

import math
from typing import Optional, Sequence

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from ..core.kernels.convolution import convolution, convolve_time
from ..core.kernels.recompute import norm_gelu
from ..core.outputs import Tokens
from ..core.positions.order import Biases


class PositionConv(nn.Sequential):
    """One grouped convolution as child ``0`` (its checkpoint name), same length, then norm and GELU."""

    def __init__(self, dim: int, kernel: int, groups: int, small_too: bool) -> None:
        super().__init__(nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups))
        self.small_too = small_too

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return norm_gelu(convolve_time(x, self[0], self.small_too))


class ConvPositions(nn.Sequential):
    """``depth`` stacked convolutions that together span ``width`` frames; their output is added to their input.

    Padded frames are set to zero before every convolution, so that a padded utterance gives the same result as an
    unpadded one; with ``leaky`` only before the first, as in the reference, which lets padding leak in. Depth 1 is
    wav2vec 2.0's single weight-normalised convolution, unless ``stacked``: then it is a stack of one.
    These, data2vec 2.0's, take faster kernels for small convolutions, too; data2vec 1 keeps those of its recorded runs.
    """

    def __init__(
        self, dim: int, width: int, groups: int, depth: int, leaky: bool = False, stacked: bool = False
    ) -> None:
        if dim % groups:
            raise ValueError(f"`conv_pos_groups` must divide `encoder_embed_dim`: got {groups} for {dim} channels")
        if depth == 1 and not stacked:
            super().__init__(SinglePositionConv(dim, width, groups))
        else:
            super().__init__(*(PositionConv(dim, max(3, width // depth), groups, stacked) for _ in range(depth)))
        self.leaky = leaky

    def forward(self, x: Tensor, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(B, T, C) with silenced padding -> the signal to add, (B, T, C)."""
        for index, conv in enumerate(self):
            if index and padding_mask is not None and not self.leaky:
                x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
            x = conv(x)
        return x

    def added(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """Tokens with their positions: (B, T, C) -> (B, T, C)."""
        summed: Tensor = x + self(x, padding_mask)
        return summed

    def biases(self, tokens: Tokens, layers: Sequence[nn.Module]) -> Biases:
        """Attention is left as it is."""
        return (None,)


class NormedPositions(nn.Module):
    """Positions made of normalised tokens (data2vec 2.0's `conv_pos_pre_ln`)."""

    def __init__(self, normed: ConvPositions, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.normed = normed

    def added(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """Tokens with their positions: (B, T, C) -> (B, T, C)."""
        seen = self.norm(x)
        if padding_mask is not None and not self.normed.leaky:
            seen = seen.masked_fill(padding_mask.unsqueeze(-1), 0)
        summed: Tensor = x + self.normed(seen, padding_mask)
        return summed

    def biases(self, tokens: Tokens, layers: Sequence[nn.Module]) -> Biases:
        """Attention is left as it is."""
        return (None,)


class SinglePositionConv(nn.Conv1d):
    """wav2vec 2.0's position convolution; parametrised weight norm lets it be copied for the teacher."""

    def __init__(self, dim: int, width: int, groups: int) -> None:
        super().__init__(dim, dim, width, padding=width // 2, groups=groups)
        nn.init.normal_(self.weight, std=math.sqrt(4 / (width * dim)))
        nn.init.zeros_(self.bias)  # type: ignore[arg-type]
        weight_norm(self, name="weight", dim=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        return F.gelu(convolution(x, self.weight, self.bias, int(self.padding[0]), self.groups, small_too=False))
