"""The convolutional front end on a CPU: matrix products over windows compared with torch's conv1d."""

import torch
import torch.nn.functional as F

from data2vec_plugin.modalities.conv_spec import parse_conv_layers
from data2vec_plugin.modalities.feature_extractor import FeatureExtractor

from .sizes import model_keys
from .timing import interleaved, show

SIZES = ("tiny", "base")


def conv1d_forward(extractor: FeatureExtractor, source: torch.Tensor) -> torch.Tensor:
    """The usual layout, (B, C, T), with the norm's two transpositions."""
    x = source.unsqueeze(1)
    for layer in extractor.conv_layers:
        conv, _, norm = layer.children()
        x = F.gelu(norm(conv(x).transpose(1, 2)).transpose(1, 2))
    return x.transpose(1, 2)


def main() -> None:
    """Forward and backward of four seconds of speech, four clips."""
    torch.manual_seed(0)
    source = torch.randn(4, 64_000)
    for size in SIZES:
        layers = parse_conv_layers(model_keys(size, "audio")["conv_feature_layers"])
        extractor = FeatureExtractor(layers, "layer_norm")
        difference = (extractor(source) - conv1d_forward(extractor, source)).abs().max()
        medians = interleaved(
            {
                "conv1d": lambda: conv1d_forward(extractor, source).sum().backward(),  # noqa: B023
                "windows": lambda: extractor(source).sum().backward(),  # noqa: B023
            }
        )
        show(f"feature extractor, {size} (largest difference {difference:.1e})", medians, "conv1d")
