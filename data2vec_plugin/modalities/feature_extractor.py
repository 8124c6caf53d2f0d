"""Raw waveform -> frames: the strided convolutions of wav2vec 2.0 (its section 2), which data2vec keeps."""

from __future__ import annotations

from functools import partial
from typing import Any, List, Optional, Sequence, Tuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.objective.targets import TIME, moments
from ..core.recompute import Make, keeps_less, remade, remade_linear
from .conv_spec import ConvSpec


class ChannelNorm(nn.Sequential):
    """Layer norm over the channels of (B, T, C); the norm is child ``1``, as checkpoints name it."""

    def __init__(self, channels: int) -> None:
        super().__init__(nn.Identity(), nn.LayerNorm(channels))


class TimeNorm(nn.GroupNorm):
    """Normalises every channel of (B, T, C) over its unpadded frames: group norm with a group for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, x: Tensor, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(B, T, C), (B, T) True where padded -> (B, T, C)."""
        if padding_mask is None:
            return super().forward(x.transpose(1, 2)).transpose(1, 2)
        mean, deviation = moments(x.float(), TIME, padding_mask)
        normed = (x.float() - mean) / deviation * self.weight.float() + self.bias.float()
        return normed.to(x.dtype)


class ConvLayer(nn.Sequential):
    """Convolution ``0``, nothing ``1``, norm ``2`` if any, then GELU."""

    def __init__(self, spec: ConvSpec, in_channels: int, norm: Optional[nn.Module], bias: bool) -> None:
        channels, kernel, stride = spec
        conv = nn.Conv1d(in_channels, channels, kernel, stride, bias=bias)
        nn.init.kaiming_normal_(conv.weight)
        super().__init__(conv, nn.Identity(), *([norm] if norm is not None else []))

    def activated(self, x: Tensor, padding_mask: Optional[Tensor] = None) -> Tensor:
        """What follows the convolution: (B, T, C) -> (B, T, C)."""
        for norm in self.norms():
            x = norm(x, padding_mask) if isinstance(norm, TimeNorm) else norm(x)
        return F.gelu(x)

    def norms(self) -> List[nn.Module]:
        """What follows the convolution, if anything does."""
        return list(self.children())[2:]

    def parameters_after(self) -> List[Tensor]:
        """What :meth:`activated` reads."""
        return [parameter for norm in self.norms() for parameter in norm.parameters()]


def unchanged(x: Tensor) -> Tensor:
    """The same."""
    return x


def convolve(x: Tensor, conv: nn.Module, make: Make = unchanged, parameters: Sequence[Tensor] = ()) -> Tensor:
    """Strided convolution of ``make(x)``, (B, T, C), with the weights of ``conv``: (B, T', C') out.

    On a CPU one matrix product over windows, 1.5 to 2 times as fast as conv1d there, forward and backward, because
    channels stay last for the norm that follows (`benchmarks/feature_extractor.py`). Neither the windows nor what is
    made, which reads ``parameters``, are kept for the backward pass.
    """
    if not isinstance(conv, nn.Conv1d):
        raise TypeError(f"expected a Conv1d, got {type(conv).__name__}")
    if x.is_cuda:
        convolved: Tensor = conv(remade(make, x, parameters).transpose(1, 2))
        return convolved.transpose(1, 2)
    (kernel,), (stride,) = conv.kernel_size, conv.stride
    weight = conv.weight.transpose(1, 2).flatten(1)
    return remade_linear(lambda x: windows(make(x), kernel, stride), x, weight, conv.bias, parameters)


def windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """What each step of a convolution sees: (B, T, C) -> (B, T', kernel · C)."""
    steps = (x.size(1) - kernel) // stride + 1
    if kernel == stride:
        return x[:, : steps * kernel].reshape(x.size(0), steps, -1)
    if x.size(-1) == 1:
        return x.squeeze(-1).unfold(1, kernel, stride)
    if kernel > stride and keeps_less(x):
        seen: Tensor = _Windows.apply(x, kernel, stride)  # type: ignore[no-untyped-call]
        return seen
    return torch.cat([x[:, tap : tap + stride * (steps - 1) + 1 : stride] for tap in range(kernel)], -1)


class _Windows(torch.autograd.Function):
    """:func:`windows` that overlap: one copy forward, and backward no tensor for each tap."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: int, stride: int) -> Tensor:
        batch, time, channels = x.shape
        x, steps = x.contiguous(), (time - kernel) // stride + 1
        ctx.shape, ctx.kernel, ctx.stride = x.shape, kernel, stride
        overlapping = x.as_strided((batch, steps, kernel * channels), (time * channels, stride * channels, 1))
        return overlapping.contiguous()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], None, None]:  # type: ignore[override]
        last = (gradient.size(1) - 1) * ctx.stride
        summed = gradient.new_empty(ctx.shape)
        summed[:, last + ctx.stride :] = 0
        for tap, part in enumerate(gradient.chunk(ctx.kernel, -1)):
            seen = summed[:, tap : tap + last + 1 : ctx.stride]
            if tap < ctx.stride:  # these taps see every position once
                seen.copy_(part)
            else:
                seen.add_(part)
        return summed, None, None


class FeatureExtractor(nn.Module):
    """Stack of strided convolutions, (B, samples) -> (B, T, C).

    ``mode`` ``"layer_norm"`` normalises channels in every layer; ``"default"`` normalises time in the first
    one only, there leaving out padded frames unless ``padding_in_norm``.
    """

    def __init__(
        self,
        layers: Sequence[ConvSpec],
        mode: str,
        bias: bool = False,
        padding_in_norm: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ("default", "layer_norm"):
            raise ValueError(f"`extractor_mode` is {mode!r}; expected default or layer_norm")
        self.specs = list(layers)
        self.out_channels = self.specs[-1][0]
        self.padding_in_norm = padding_in_norm
        convs: List[nn.Module] = []
        in_channels = 1
        for index, spec in enumerate(self.specs):
            norm: Optional[nn.Module] = ChannelNorm(spec[0]) if mode == "layer_norm" else None
            if mode == "default" and index == 0:
                norm = TimeNorm(spec[0])
            convs.append(ConvLayer(spec, in_channels, norm, bias))
            in_channels = spec[0]
        self.conv_layers = nn.ModuleList(convs)

    def forward(self, source: Tensor, lengths: Optional[Tensor] = None) -> Tensor:
        """(B, samples) and the rows' unpadded ``lengths`` (B,), or None -> (B, T, C)."""
        x, make = source.unsqueeze(-1), cast(Make, unchanged)
        parameters: List[Tensor] = []
        layers: List[ConvLayer] = list(self.conv_layers)  # type: ignore[arg-type]
        for layer, spec in zip(layers, self.specs):
            x, padding_mask = convolve(x, layer[0], make, parameters), None
            if lengths is not None and not self.padding_in_norm:
                lengths = conv_length(lengths, spec)
                padding_mask = lengths_to_padding(lengths, x.size(1))
            make, parameters = partial(layer.activated, padding_mask=padding_mask), layer.parameters_after()
        return remade(make, x, parameters)

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
