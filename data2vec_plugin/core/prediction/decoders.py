"""Decoders of data2vec 2.0: convolutions over time or over a grid, or a Transformer (section 3.2 of its paper).

Each reads (R, T, C) with noise at hidden positions, and returns (N, C) at these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from torch import Tensor, nn

from ..config import SettingError
from ..kernels.convolution import convolve_time
from ..kernels.recompute import norm_gelu
from ..masks.mask import Mask
from ..tracing import is_plain
from ..transformer import Transformer, init_bert
from .visible_decoder import at_hidden


@dataclass(frozen=True)
class DecoderConfig:
    """``layers`` of ``dim`` channels; for convolutions their ``kernel`` and ``groups``.

    ``projections`` linear layers follow; if there are several, the first is ``ratio`` times as wide as ``dim``.
    """

    dim: int = 384
    layers: int = 5
    kernel: int = 5
    groups: int = 16
    residual: bool = True
    projections: int = 1
    ratio: float = 2.0

    def __post_init__(self) -> None:
        if self.layers < 1:
            raise SettingError("decoder_layers", self.layers, "at least 1")
        if self.dim % self.groups:
            raise SettingError("decoder_groups", self.groups, f"a divisor of `decoder_dim`, which is {self.dim}")
        if self.projections < 1:
            raise SettingError("projection_layers", self.projections, "at least 1")


class ConvDecoder(nn.Module):
    """Convolutions of the same length, each with a norm, GELU and, where its input is as wide, a residual.

    On a ``grid`` of (rows, columns) they are two-dimensional. Padding is set to zero before each.
    """

    def __init__(self, config: DecoderConfig, dim: int, grid: Optional[Tuple[int, int]] = None) -> None:
        super().__init__()
        if dim % config.groups:
            raise SettingError("decoder_groups", config.groups, f"a divisor of the encoder's channels, which are {dim}")
        self.config = config
        self.grid = grid
        kind = nn.Conv1d if grid is None else nn.Conv2d
        widths = [dim, *(config.dim for _ in range(config.layers))]
        self.blocks = nn.ModuleList(
            nn.Sequential(kind(before, after, config.kernel, padding=config.kernel // 2, groups=config.groups))
            for before, after in zip(widths, widths[1:])
        )
        self.proj = projection(config, dim)

    def forward(self, x: Tensor, mask: Mask, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(R, T, C), True where padded (R, T) -> (N, C)."""
        for conv in self.blocks:
            if padding_mask is not None:
                x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
            y = norm_gelu(self.convolved(conv, x))
            x = x + y if self.config.residual and x.shape == y.shape else y
        predictions: Tensor = self.proj(at_hidden(x, mask))
        return predictions

    def convolved(self, conv: nn.Module, x: Tensor) -> Tensor:
        """(R, T, C) -> (R, T, C'); an even kernel gives one position too many on each axis."""
        if self.grid is None:
            alone = isinstance(conv, nn.Sequential) and is_plain(conv, nn.Sequential) and len(conv) == 1
            return convolve_time(x, conv[0] if alone else conv)  # type: ignore[index]
        rows, columns = self.grid
        y = x.transpose(1, 2).reshape(x.size(0), x.size(2), rows, columns)
        same_length: Tensor = conv(y)[..., :rows, :columns].flatten(2).transpose(1, 2)
        return same_length


def projection(config: DecoderConfig, dim: int) -> nn.Module:
    """Linear layers with GELU between them; a single one is returned without a Sequential."""
    width, layers = config.dim, nn.Sequential()
    for index in range(config.projections - 1):
        wider = int(width * config.ratio) if index == 0 else width
        layers.extend([nn.Linear(width, wider), nn.GELU()])
        width = wider
    layers.append(nn.Linear(width, dim))
    return layers if len(layers) > 1 else layers[0]


class TransformerDecoder(nn.Module):
    """Attention among all positions, in ``transformer``, between two linear layers."""

    def __init__(self, transformer: Transformer, dim: int) -> None:
        super().__init__()
        self.input_proj = nn.Linear(dim, transformer.config.dim)
        self.encoder = transformer
        self.proj = nn.Linear(transformer.config.dim, dim)
        self.apply(init_bert)

    def forward(self, x: Tensor, mask: Mask, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(R, T, C), True where padded (R, T) -> (N, C)."""
        encoded = self.encoder(self.input_proj(x), padding_mask, rows=mask.positions)
        predictions: Tensor = self.proj(encoded.x)
        return predictions
