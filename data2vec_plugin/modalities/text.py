"""Text: subword ids -> tokens with absolute positions; what is masked has been replaced in the ids (section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional

from torch import Tensor, nn

from ..core.config import Data2VecConfig
from ..core.model import Data2Vec
from ..core.outputs import Mask, Tokens
from ..core.transformer import Transformer, init_bert
from .token_positions import LearnedPositions, SinusoidalPositions, position_ids


@dataclass(frozen=True)
class TextConfig:
    """What text adds to the method's settings.

    ``vocabulary`` symbols, of which ``pad`` fills rows up and ``mask`` hides a token; at most ``max_positions``
    tokens a row. ``positions`` is ``"learned"``, ``"sinusoidal"`` or ``"none"``. The head has ``head_layers``.
    """

    vocabulary: int
    pad: int = 1
    mask: int = 4
    max_positions: int = 512
    positions: str = "learned"
    scale_embedding: bool = False
    norm_embedding: bool = True
    head_layers: int = 1


class TextEncoder(Transformer):
    """The Transformer with the embedding of its tokens, which the teacher keeps a copy of."""

    def __init__(self, config: Data2VecConfig, text: TextConfig) -> None:
        super().__init__(config.transformer)
        dim = config.transformer.dim
        self.text = text
        self.embed_tokens = nn.Embedding(text.vocabulary, dim, text.pad)
        self.embed_positions: Optional[nn.Module] = None
        if text.positions == "learned":
            self.embed_positions = LearnedPositions(text.max_positions, dim, text.pad)
        elif text.positions == "sinusoidal":
            self.embed_positions = SinusoidalPositions(text.max_positions, dim, text.pad)
        self.layernorm_embedding = nn.LayerNorm(dim, eps=config.transformer.norm_eps) if text.norm_embedding else None
        self.apply(init_text)

    def embed(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tokens:
        """Ids (B, T), True where padded (B, T) -> tokens (B, T, C); raises ValueError for too long a row."""
        if source.size(1) > self.text.max_positions:
            raise ValueError(
                f"`src_tokens` has rows of {source.size(1)} tokens, this model has positions for "
                f"{self.text.max_positions}: shorten them (`task.shorten_method=truncate`) or train with "
                f"a larger `model.transformer.max_source_positions`"
            )
        x = self.look_up(source)
        if self.embed_positions is not None:
            x = x + self.embed_positions(position_ids(source, padding_mask, self.text.pad))
        if self.layernorm_embedding is not None:
            x = self.layernorm_embedding(x)
        return Tokens(x, padding_mask)

    def look_up(self, source: Tensor) -> Tensor:
        """The ids' own vectors, without positions: (B, T) -> (B, T, C)."""
        x: Tensor = self.embed_tokens(source)
        return x * self.config.dim**0.5 if self.text.scale_embedding else x


class TextData2Vec(Data2Vec):
    """data2vec on text: ids (B, T) in which hidden tokens are the mask symbol already, or another word."""

    encoder: TextEncoder

    def __init__(self, config: Data2VecConfig, text: TextConfig) -> None:
        super().__init__(config, TextEncoder(config, text), regression_head(config.transformer.dim, text.head_layers))
        self.text = text
        self.mask_emb = None  # the mask symbol has an embedding like any other

    def embed(self, source: Tensor, padding_mask: Optional[Tensor]) -> Tokens:
        """Ids (B, T), True where padded (B, T) -> tokens (B, T, C)."""
        return self.encoder.embed(source, padding_mask)

    def sample_mask(self, tokens: Tokens) -> Mask:
        """Not here: a mask replaces ids, which happens before they are embedded."""
        raise ValueError(
            "text is masked where it is loaded: give `mask_indices`, or `target_tokens` of a masked-LM task"
        )

    def teacher_tokens(
        self, module: nn.Module, whole: Tensor, padding_mask: Optional[Tensor], tokens: Tokens
    ) -> Tokens:
        """The whole sentence in the teacher's own embedding."""
        if not isinstance(module, TextEncoder):
            raise TypeError(f"the teacher of text is a TextEncoder, got {type(module).__name__}")
        if self.config.reference_compat:  # whose teacher is given padding where nothing was masked
            padding_mask = whole.eq(self.text.pad)
        return module.embed(whole, padding_mask)

    def teacher_copies(self) -> Callable[[str], bool]:
        """With scope "layers" the embeddings are copied; all else in the encoder is averaged."""
        if self.config.teacher.scope != "layers":
            return super().teacher_copies()
        return lambda name: name.startswith(("embed_tokens.", "embed_positions.", "layernorm_embedding."))


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
