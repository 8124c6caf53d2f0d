"""Text: subword ids -> tokens with absolute positions; what is masked has been replaced in the ids (section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

from numpy.random import Generator
from torch import Tensor, nn

from ..core.config import Data2VecConfig
from ..core.encoder import Encoder
from ..core.masks.masking import BatchMasker, BoolRows, Masker
from ..core.model import Data2Vec
from ..core.outputs import Tokens
from ..core.reference import regression
from ..core.transformer import Transformer, init_bert
from ..core.view import PlainView
from .gradients import with_gradient
from .token_positions import LearnedPositions, SinusoidalPositions, position_ids


@dataclass(frozen=True)
class TextConfig:
    """What text adds to the method's settings.

    ``vocabulary`` symbols, of which ``pad`` fills rows up and ``mask`` hides a token; at most ``max_positions``
    tokens a row. ``positions`` is ``"learned"``, ``"sinusoidal"`` or ``"none"``. The head has ``head_layers``;
    ``grad_mult`` scales the gradient of the embedding, 0 freezes it.
    """

    vocabulary: int
    pad: int = 1
    mask: int = 4
    max_positions: int = 512
    positions: str = "learned"
    scale_embedding: bool = False
    norm_embedding: bool = True
    head_layers: int = 1
    grad_mult: float = 1.0


class TextEmbedder(nn.Module):
    """Ids (B, T) -> a vector each, with its absolute position."""

    def __init__(self, text: TextConfig, dim: int, norm_eps: float) -> None:
        super().__init__()
        self.text = text
        self.embed_tokens = nn.Embedding(text.vocabulary, dim, text.pad)
        self.embed_positions: Optional[nn.Module] = None
        if text.positions == "learned":
            self.embed_positions = LearnedPositions(text.max_positions, dim, text.pad)
        elif text.positions == "sinusoidal":
            self.embed_positions = SinusoidalPositions(text.max_positions, dim, text.pad)
        self.layernorm_embedding = nn.LayerNorm(dim, eps=norm_eps) if text.norm_embedding else None

    def forward(self, source: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        """Ids (B, T), True where padded (B, T) -> tokens (B, T, C); raises ValueError for too long a row."""
        if source.size(1) > self.text.max_positions:
            raise ValueError(
                f"`src_tokens` has rows of {source.size(1)} tokens, this model has positions for "
                f"{self.text.max_positions}: truncate them (`task.shorten_method=truncate`) or train with a larger "
                "`model.transformer.max_source_positions`"
            )
        return Tokens(with_gradient(lambda: self.vectors(source, padding_mask), self.text.grad_mult), padding_mask)

    def vectors(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tensor:
        """(B, T) -> (B, T, C), with positions and norm."""
        x = self.look_up(source)
        if self.embed_positions is not None:
            x = x + self.embed_positions(position_ids(source, padding_mask, self.text.pad))
        if self.layernorm_embedding is not None:
            x = self.layernorm_embedding(x)
        return x

    def look_up(self, source: Tensor) -> Tensor:
        """The ids' own vectors, without positions: (B, T) -> (B, T, C)."""
        x: Tensor = self.embed_tokens(source)
        return x * self.embed_tokens.embedding_dim**0.5 if self.text.scale_embedding else x


class PaddingInIds(TextEmbedder):
    """The reference's embedder: it ignores the given padding and finds it in the ids, also for the teacher."""

    def forward(self, source: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        """Ids (B, T) -> tokens (B, T, C)."""
        return super().forward(source, source.eq(self.text.pad))


class MaskedElsewhere(Masker):
    """Draws nothing: a mask replaces ids, which happens before they are embedded."""

    def rows(self, sizes: Sequence[int], width: int, rngs: Sequence[Generator]) -> BoolRows:
        """Raises ValueError."""
        raise ValueError(
            "text is masked by the data loader: pass `mask_indices`, or `target_tokens` of a masked-LM task"
        )


def text_data2vec(config: Data2VecConfig, text: TextConfig) -> Data2Vec:
    """The method on ids (B, T) in which hidden tokens are the mask symbol already, or another word."""
    dim = config.transformer.dim
    transformer = Transformer(config.transformer)
    kind = PaddingInIds if config.reference_compat else TextEmbedder
    embedder = kind(text, dim, config.transformer.norm_eps)
    for part in (transformer, embedder):
        part.apply(init_text)
    predictor = regression_head(dim, text.head_layers)
    encoder = Encoder(transformer, PlainView(config.input_dropout), embedder)
    return Data2Vec(config, encoder, BatchMasker(MaskedElsewhere()), predictor, [regression(config, name="main")], True)


def regression_head(dim: int, layers: int) -> nn.Sequential:
    """The prediction head: ``layers`` linear layers with GELU between them, twice as wide inside."""
    if layers < 1:
        raise ValueError(f"`head_layers` is {layers}; expected at least 1")
    head = nn.Sequential()
    width = dim
    for _ in range(layers - 1):
        head.extend([nn.Linear(width, 2 * dim), nn.GELU()])
        width = 2 * dim
    head.append(nn.Linear(width, dim))
    return head.apply(init_bert)


def init_text(module: nn.Module) -> None:
    """BERT's initialisation: embeddings as weights, the padding symbol's at zero."""
    init_bert(module)
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
        if module.padding_idx is not None:
            nn.init.zeros_(module.weight[module.padding_idx])
