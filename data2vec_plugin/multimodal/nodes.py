"""Node vectors: every frame's features, projected to one width, plus its position in its sequence."""

from __future__ import annotations

import math
from typing import List, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KERNEL = 3


def frame_encoder(channels: int, dim: int, use_ffn: bool) -> nn.Sequential:
    """A linear layer to the width of the nodes, or with ``use_ffn`` two, each with a ReLU."""
    layers: List[nn.Module] = [nn.Linear(channels, dim)]
    if use_ffn:
        layers += [nn.ReLU(), nn.Linear(dim, dim), nn.ReLU()]
    return nn.Sequential(*layers)


class VisionConv(nn.Sequential):
    """A convolution over a frame and the next two, then ReLU; (B, L, channels) -> (B, L, dim)."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__(nn.Conv1d(channels, dim, KERNEL), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        convolved: Tensor = super().forward(F.pad(x, (0, 0, 0, KERNEL - 1)).transpose(1, 2))
        return convolved.transpose(1, 2)


def position_signal(length: int, dim: int, device: torch.device) -> Tensor:
    """Sines on even channels and cosines on odd ones, (``length``, ``dim``); wavelengths from 2π to 10,000 · 2π."""
    rates = torch.exp(torch.arange(0, dim, 2, device=device, dtype=torch.float32) * (-math.log(10_000) / dim))
    angles = torch.arange(length, device=device, dtype=torch.float32).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :dim]


class NodeEncoder(nn.Module):
    """Frames of each modality -> node vectors; holds a child ``{modality}_fc`` for each, and ``vision_conv``.

    It is a mixin of the model, since in checkpoints these are the model's own children.
    """

    def make_encoders(self, dims: Mapping[str, int], dim: int, use_ffn: bool, use_conv1d: bool) -> None:
        """Add the children."""
        for modality, channels in dims.items():
            convolved = use_conv1d and modality == "vision"
            if convolved:
                self.vision_conv = VisionConv(channels, dim)
            setattr(self, f"{modality}_fc", frame_encoder(dim if convolved else channels, dim, use_ffn))

    def encode(self, modality: str, frames: Tensor, use_positions: bool) -> Tensor:
        """Features (B, L, channels) -> (B, L, dim). Positions count all rows, padding too."""
        if modality == "vision" and hasattr(self, "vision_conv"):
            frames = self.vision_conv(frames)
        encoded: Tensor = getattr(self, f"{modality}_fc")(frames)
        if use_positions:
            encoded = encoded + position_signal(encoded.size(1), encoded.size(2), encoded.device).to(encoded.dtype)
        return encoded
