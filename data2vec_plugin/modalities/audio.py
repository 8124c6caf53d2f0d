"""Speech: raw waveform -> frames, convolutional positions, span masks (section 4.2)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Callable, ContextManager, List, Optional

import torch
from torch import Tensor, nn

from ..core.config import ConvSpec, Data2VecConfig
from ..core.masking import SpanMasker, batch_generators
from ..core.model import Data2Vec, to_device
from ..core.outputs import Mask, Tokens
from ..core.transformer import Transformer
from .conv_spec import receptive_field
from .feature_extractor import FeatureExtractor, lengths_to_padding
from .positions import ConvPositions


@dataclass(frozen=True)
class AudioConfig:
    """What speech adds to the method's settings; ``grad_mult`` scales the extractor's gradient, 0 freezes it."""

    conv_layers: List[ConvSpec] = field(default_factory=list)
    extractor_mode: str = "default"
    conv_bias: bool = False
    grad_mult: float = 1.0
    position_width: int = 128
    position_groups: int = 16
    position_depth: int = 1


class AudioEncoder(Transformer):
    """The Transformer with convolutional relative positions."""

    def __init__(self, config: Data2VecConfig, audio: AudioConfig) -> None:
        super().__init__(config.transformer)
        self.pos_conv = ConvPositions(
            config.transformer.dim,
            audio.position_width,
            audio.position_groups,
            audio.position_depth,
            reference_compat=config.reference_compat,
        )

    def add_positions(self, x: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        summed: Tensor = x + self.pos_conv(x, padding_mask)
        return summed


class AudioData2Vec(Data2Vec):
    """data2vec on speech: (B, samples) in, one token every 20 ms at 16 kHz with the published extractor."""

    def __init__(self, config: Data2VecConfig, audio: AudioConfig) -> None:
        super().__init__(config, AudioEncoder(config, audio))
        self.audio = audio
        self.masker = SpanMasker(config.mask, trim_to_count=config.reference_compat)
        self.channel_masker = SpanMasker(config.channel_mask)
        self.feature_extractor = FeatureExtractor(
            audio.conv_layers,
            audio.extractor_mode,
            audio.conv_bias,
            reference_compat=config.reference_compat,
        )
        channels = self.feature_extractor.out_channels
        self.layer_norm = nn.LayerNorm(channels)
        self.post_extract_proj = nn.Linear(channels, config.transformer.dim)

    def embed(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tokens:
        """(B, samples), (B, samples) True where padded -> tokens (B, T, C)."""
        shortest = receptive_field(self.audio.conv_layers)
        if source.size(-1) < shortest:
            raise ValueError(
                f"`source` has {source.size(-1)} samples, but one frame of this feature extractor needs {shortest}; "
                f"leave such clips out (`task.min_sample_size`)"
            )
        lengths = None if padding_mask is None else (~padding_mask).sum(1)
        features = self.extract(source, lengths)
        frames_mask = None
        if lengths is not None:
            # a clip shorter than one frame keeps one: attention over nothing is NaN in torch < 2.5
            frames = self.feature_extractor.output_lengths(lengths).clamp_min(1)
            frames_mask = lengths_to_padding(frames, features.size(1))
        x = self.post_extract_proj(self.layer_norm(features))
        return Tokens(x, frames_mask)

    def extract(self, source: Tensor, lengths: Optional[Tensor]) -> Tensor:
        """The convolutions, with their gradient scaled: (B, samples) -> (B, T, C)."""
        scale = self.audio.grad_mult
        frozen: ContextManager[object] = torch.no_grad() if scale <= 0 else contextlib.nullcontext()
        with frozen:
            features: Tensor = self.feature_extractor(source, lengths)
        if scale not in (0, 1) and features.requires_grad:
            features.register_hook(lambda gradient: gradient * scale)
        return features

    def sample_mask(self, tokens: Tokens) -> Mask:
        """Draw time and channel masks on the host, seeded by torch's CPU generator."""
        batch, width, dim = tokens.x.shape
        mask = self.masker.draw(unpadded_sizes(tokens), batch_generators(batch), width=width)
        mask.channels = self.sample_channels(batch, dim)
        return to_device(mask, tokens.x.device)

    def sample_channels(self, batch: int, dim: int) -> Optional[Tensor]:
        """Channel mask (B, C) bool, or None where none is configured."""
        if self.config.channel_mask.prob <= 0:
            return None
        return torch.from_numpy(self.channel_masker.rows([dim] * batch, dim, batch_generators(batch)))

    def teacher_copies(self) -> Callable[[str], bool]:
        """With scope "layers" the position convolution is copied; all else in the encoder is averaged."""
        if self.config.teacher.scope != "layers":
            return super().teacher_copies()
        return lambda name: name.startswith("pos_conv")


def unpadded_sizes(tokens: Tokens) -> List[int]:
    """Lengths of the rows of (B, T, C) without their padding; waits for the device if they are padded there."""
    batch, width = tokens.x.shape[:2]
    if tokens.padding_mask is None:
        return [width] * batch
    sizes: List[int] = (~tokens.padding_mask).sum(1).tolist()
    return sizes
