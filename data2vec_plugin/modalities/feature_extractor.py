"""Raw waveform -> frames: the strided convolutions of wav2vec 2.0 (its section 2), which data2vec keeps."""

from __future__ import annotations

from typing import List, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.config import ConvSpec
from ..core.targets import TIME, moments


class ChannelNorm(nn.Sequential):
    """Layer norm over the channels of (B, C, T); the norm is child ``1``, as checkpoints name it."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.Identity(), nn.LayerNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, C, T)."""
        normed: Tensor = self[1](x.transpose(1, 2))
        return normed.transpose(1, 2)


class TimeNorm(nn.GroupNorm):
    """Normalises every channel of (B, C, T) over its unpadded frames: group norm with a group for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, x: Tensor, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(B, C, T), (B, T) True where padded -> (B, C, T)."""
        if padding_mask is None:
            return super().forward(x)
        frames = x.transpose(1, 2).float()
        mean, deviation = moments(frames, TIME, padding_mask)
        normed = (frames - mean) / deviation * self.weight.float() + self.bias.float()
        return normed.to(x.dtype).transpose(1, 2)


class ConvLayer(nn.Sequential):
    """Convolution ``0``, dropout ``1``, norm ``2`` if any, then GELU."""

    def __init__(self, spec: ConvSpec, in_channels: int, norm: Optional[nn.Module], bias: bool, dropout: float) -> None:
        channels, kernel, stride = spec
        conv = nn.Conv1d(in_channels, channels, kernel, stride, bias=bias)
        nn.init.kaiming_normal_(conv.weight)
        super().__init__(conv, nn.Dropout(dropout), *([norm] if norm is not None else []))
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(B, C, T) -> (B, C', T')."""
        conv, dropout, *norms = self.children()
        x = dropout(conv(x))
        for norm in norms:
            x = norm(x, padding_mask) if isinstance(norm, TimeNorm) else norm(x)
        return F.gelu(x)


class FeatureExtractor(nn.Module):
    """Stack of strided convolutions, (B, samples) -> (B, T, C).

    ``mode`` ``"layer_norm"`` normalises channels in every layer; ``"default"`` normalises time in the first
    one only, there leaving out padded frames unless ``reference_compat``.
    """

    def __init__(
        self, layers: Sequence[ConvSpec], mode: str, bias: bool = False, dropout: float = 0.0, reference_compat: bool = False
    ) -> None:
        super().__init__()
        if mode not in ("default", "layer_norm"):
            raise ValueError(f"`extractor_mode` is {mode!r}; expected default or layer_norm")
        self.specs = list(layers)
        self.out_channels = self.specs[-1][0]
        self.padding_in_norm = reference_compat
        convs: List[nn.Module] = []
        in_channels = 1
        for index, spec in enumerate(self.specs):
            norm: Optional[nn.Module] = ChannelNorm(spec[0]) if mode == "layer_norm" else None
            if mode == "default" and index == 0:
                norm = TimeNorm(spec[0])
            convs.append(ConvLayer(spec, in_channels, norm, bias, dropout))
            in_channels = spec[0]
        self.conv_layers = nn.ModuleList(convs)

    def forward(self, source: Tensor, lengths: Optional[Tensor] = None) -> Tensor:
        """(B, samples) and the rows' unpadded ``lengths`` (B,), or None -> (B, T, C)."""
        x = source.unsqueeze(1)
        for layer, spec in zip(self.conv_layers, self.specs):
            padding_mask = None
            if lengths is not None and not self.padding_in_norm:
                lengths = conv_length(lengths, spec)
                padding_mask = lengths_to_padding(lengths, conv_width(x.size(-1), spec))
            x = layer(x, padding_mask)
        return x.transpose(1, 2)

    def output_lengths(self, lengths: Tensor) -> Tensor:
        """Frames for each of ``lengths`` (B,) samples."""
        for spec in self.specs:
            lengths = conv_length(lengths, spec)
        return lengths


def conv_length(lengths: Tensor, spec: ConvSpec) -> Tensor:
    """Output lengths of one unpadded convolution: (B,) -> (B,)."""
    _, kernel, stride = spec
    return torch.div(lengths - kernel, stride, rounding_mode="floor") + 1


def conv_width(width: int, spec: ConvSpec) -> int:
    """The same for the width of a batch."""
    return (width - spec[1]) // spec[2] + 1


def lengths_to_padding(lengths: Tensor, width: int) -> Tensor:
    """(B,) -> (B, width), True where padded."""
    return torch.arange(width, device=lengths.device) >= lengths.unsqueeze(1)
