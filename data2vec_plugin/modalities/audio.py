"""Speech: raw waveform -> frames, convolutional positions, span masks (section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional

from torch import Tensor, nn

from ..core.config import Data2VecConfig
from ..core.encoder import Encoder
from ..core.model import Data2Vec
from ..core.outputs import Tokens
from ..core.reference import regression, span_masks
from ..core.transformer import Transformer
from ..core.view import MaskedView
from .conv_spec import ConvSpec, receptive_field
from .feature_extractor import FeatureExtractor, lengths_to_padding
from .gradients import with_gradient
from .positions import ConvPositions


@dataclass(frozen=True)
class AudioConfig:
    """Settings of speech in addition to the method's; ``grad_mult`` scales the extractor's gradient, 0 freezes it.

    With ``padding_leaks``, padding leaks into neighbouring frames, as in the reference.
    """

    conv_layers: List[ConvSpec] = field(default_factory=list)
    extractor_mode: str = "default"
    conv_bias: bool = False
    grad_mult: float = 1.0
    position_width: int = 128
    position_groups: int = 16
    position_depth: int = 1
    padding_leaks: bool = False


class AudioEmbedder(nn.Module):
    """(B, samples) -> one token every 20 ms at 16 kHz with the published extractor."""

    def __init__(self, audio: AudioConfig, dim: int) -> None:
        super().__init__()
        self.audio = audio
        self.feature_extractor = FeatureExtractor(
            audio.conv_layers, audio.extractor_mode, audio.conv_bias, padding_in_norm=audio.padding_leaks
        )
        channels = self.feature_extractor.out_channels
        self.layer_norm = nn.LayerNorm(channels)
        self.post_extract_proj = nn.Linear(channels, dim)

    def forward(self, source: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        """(B, samples), (B, samples) True where padded -> tokens (B, T, C)."""
        shortest = receptive_field(self.audio.conv_layers)
        if source.size(-1) < shortest:
            raise ValueError(
                f"`source` has {source.size(-1)} samples, but one frame of this feature extractor needs {shortest}; "
                "exclude such clips (`task.min_sample_size`)"
            )
        lengths = None if padding_mask is None else (~padding_mask).sum(1)
        features = self.extract(source, lengths)
        frames_mask = None
        if lengths is not None:
            # a clip shorter than one frame keeps one: attention over nothing is NaN in torch < 2.5
            frames = self.feature_extractor.output_lengths(lengths).clamp_min(1)
            frames_mask = lengths_to_padding(frames, features.size(1))
        return Tokens(self.post_extract_proj(self.layer_norm(features)), frames_mask)

    def extract(self, source: Tensor, lengths: Optional[Tensor]) -> Tensor:
        """The convolutions, with their gradient scaled: (B, samples) -> (B, T, C)."""
        return with_gradient(lambda: self.feature_extractor(source, lengths), self.audio.grad_mult)


def audio_data2vec(config: Data2VecConfig, audio: AudioConfig) -> Data2Vec:
    """The method on speech, out of its parts."""
    dim = config.transformer.dim
    transformer = Transformer(config.transformer)
    positions = ConvPositions(
        dim, audio.position_width, audio.position_groups, audio.position_depth, leaky=audio.padding_leaks
    )
    view = MaskedView(dim, config.input_dropout, config.channel_mask_before)
    predictor = nn.Linear(dim, dim)
    encoder = Encoder(transformer, view, AudioEmbedder(audio, dim), positions=positions)
    return Data2Vec(config, encoder, span_masks(config), predictor, [regression(config)])
