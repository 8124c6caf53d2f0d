"""Raw waveform -> frames: the strided convolutions of wav2vec 2.0 (its section 2), which data2vec keeps."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.kernels.products import input_gradient, linear_map, weight_gradients
from ..core.kernels.recompute import keeps_less, norm_gelu
from ..core.objective.targets import TIME, moments
from ..core.tracing import is_traced
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

    @property
    def norm(self) -> Optional[nn.Module]:
        """What follows the convolution, before GELU."""
        norms = list(self.children())[2:]
        return norms[0] if norms else None

    def activated(self, x: Tensor, padding_mask: Optional[Tensor] = None) -> Tensor:
        """What follows the convolution: (B, T, C) -> (B, T, C)."""
        norm = self.norm
        if isinstance(norm, ChannelNorm):
            return norm_gelu(x, norm[1])  # type: ignore[arg-type]
        return F.gelu(norm(x, padding_mask) if norm is not None else x)


def convolve(x: Tensor, conv: nn.Module) -> Tensor:
    """Strided convolution of (B, T, C) with the weights of ``conv``, (B, T', C') out.

    On a CPU one matrix product over windows, 1.5 to 2 times as fast as conv1d there, forward and backward, because
    channels stay last for the norm that follows (`benchmarks/feature_extractor.py`). Traced, as for ONNX, it stays
    a convolution, of which no size is fixed, and for which others have their own best way.
    """
    if not isinstance(conv, nn.Conv1d):
        raise TypeError(f"expected a Conv1d, got {type(conv).__name__}")
    if x.is_cuda or is_traced():
        convolved: Tensor = conv(x.transpose(1, 2))
        return convolved.transpose(1, 2)
    (kernel,), (stride,) = conv.kernel_size, conv.stride
    weight = conv.weight.transpose(1, 2).flatten(1)
    if kernel > stride and x.size(-1) > 1 and conv.bias is None and keeps_less(x, weight):
        result: Tensor = _WindowsLinear.apply(x, weight, kernel, stride)  # type: ignore[no-untyped-call]
        return result
    return linear_map(windows(x, kernel, stride), weight, conv.bias)


def windows(x: Tensor, kernel: int, stride: int) -> Tensor:
    """What each step of a convolution sees: (B, T, C) -> (B, T', kernel · C)."""
    steps = (x.size(1) - kernel) // stride + 1
    if kernel == stride:
        return x[:, : steps * kernel].reshape(x.size(0), steps, -1)
    if x.size(-1) == 1:
        return x.squeeze(-1).unfold(1, kernel, stride)
    return torch.cat([x[:, tap : tap + stride * (steps - 1) + 1 : stride] for tap in range(kernel)], -1)


class _WindowsLinear(torch.autograd.Function):
    """A linear map of :func:`windows` that overlap: they are made again in the backward pass, not kept for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, kernel: int, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.kernel, ctx.stride = kernel, stride
        return linear_map(overlapping(x, kernel, stride), weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tuple[Optional[Tensor], ...]:  # type: ignore[override]
        x, weight = ctx.saved_tensors
        of_weight, _ = weight_gradients(
            (ctx.needs_input_grad[1], False), gradient, overlapping(x, ctx.kernel, ctx.stride)
        )
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None, None
        return summed(input_gradient(gradient, weight), x.shape, ctx.kernel, ctx.stride), of_weight, None, None


def overlapping(x: Tensor, kernel: int, stride: int) -> Tensor:
    """:func:`windows` in one copy."""
    batch, time, channels = x.shape
    shape = batch, (time - kernel) // stride + 1, kernel * channels
    return x.contiguous().as_strided(shape, (time * channels, stride * channels, 1)).contiguous()


def summed(seen: Tensor, shape: Sequence[int], kernel: int, stride: int) -> Tensor:
    """The reverse: what overlaps is added up, (B, T', kernel · C) -> (B, T, C) of this ``shape``."""
    last = (seen.size(1) - 1) * stride
    total = seen.new_empty(*shape)
    total[:, last + stride :] = 0
    for tap, part in enumerate(seen.chunk(kernel, -1)):
        places = total[:, tap : tap + last + 1 : stride]
        if tap < stride:  # these read each position once
            places.copy_(part)
        else:
            places.add_(part)
    return total


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
        x = source.unsqueeze(-1)
        layers: List[ConvLayer] = list(self.conv_layers)  # type: ignore[arg-type]
        for layer, spec in zip(layers, self.specs):
            x, padding_mask = convolve(x, layer[0]), None
            if lengths is not None and not self.padding_in_norm:
                lengths = conv_length(lengths, spec)
                padding_mask = lengths_to_padding(lengths, x.size(1))
            x = layer.activated(x, padding_mask)
        return x

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
