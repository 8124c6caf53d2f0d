"""The exported function of tensors: a trained encoder, with or without the CTC output layer."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.encoder import Encoder
from ..modalities.feature_extractor import lengths_to_padding


class CtcHead(nn.Module):
    """The encoder's output -> log-probabilities of symbols, with the blank's logit changed as in ``wav2vec_ctc``.

    Logits are multiplied by ``kept`` (V,), then ``added`` (V,) is added; both change only the blank's.
    """

    kept: Tensor
    added: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, kept: Tensor, added: Tensor) -> None:
        super().__init__()
        self.proj = nn.Linear(weight.size(1), weight.size(0))
        with torch.no_grad():
            self.proj.weight.copy_(weight)
            self.proj.bias.copy_(bias)
        self.changed = bool((kept != 1).any() or (added != 0).any())
        self.register_buffer("kept", kept)
        self.register_buffer("added", added)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, V)."""
        logits = self.proj(x)
        return F.log_softmax(logits * self.kept + self.added if self.changed else logits, dim=-1)


class PaddedGraph(nn.Module):
    """Rows of different lengths -> features, or with a ``head`` log-probabilities, and the number of frames per row."""

    def __init__(self, encoder: Encoder, head: Optional[nn.Module] = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, source: Tensor, lengths: Tensor) -> Tuple[Tensor, Tensor]:
        """Waves (B, samples) or ids (B, T), and their lengths without padding (B,) -> (B, T, C or V), (B,)."""
        padding_mask = lengths_to_padding(lengths, source.size(1))
        tokens = self.encoder.embed(source, padding_mask)
        x = self.encoder.encode(tokens).x
        frames = (~(padding_mask if tokens.padding_mask is None else tokens.padding_mask)).sum(1)
        return (x if self.head is None else self.head(x)), frames


class ImageGraph(nn.Module):
    """Images -> features of their patches, after those of the class token if there is one."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, channels, size, size) -> (B, E + T, C)."""
        features: Tensor = self.encoder(pixels, with_extra=True).x
        return features
