"""A decoder whose queries are positions, with cross-attention to visible tokens (data2vec 2.0's variant for images)."""

from __future__ import annotations

from typing import Optional

import torch.nn.functional as F
from torch import Tensor, nn

from ..attention import attend, attention_mask
from ..masks.mask import Mask
from ..outputs import Tokens
from ..transformer import init_bert
from .decoders import DecoderConfig
from .visible_decoder import at_hidden

HEADS, RATIO = 8, 4


class CrossAttention(nn.Module):
    """Attention of one sequence to another of a different width."""

    def __init__(self, dim: int, seen_dim: int) -> None:
        super().__init__()
        self.q_proj = nn.Linear(dim, dim)
        self.kv_proj = nn.Linear(seen_dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, seen: Tokens) -> Tensor:
        """(R, T, C) and visible tokens (R, V, C') -> (R, T, C)."""
        q, k, v = (
            part.unflatten(-1, (HEADS, -1)).transpose(1, 2)  # type: ignore[no-untyped-call]
            for part in (self.q_proj(x), *self.kv_proj(seen.x).chunk(2, -1))
        )
        attended = attend(q, k, v, attention_mask(seen.padding_mask, None, x.dtype), 0.0)
        projected: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return projected


class Mlp(nn.Module):
    """Two linear layers with GELU between them."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, RATIO * dim)
        self.fc2 = nn.Linear(RATIO * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(R, T, C) -> (R, T, C)."""
        projected: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return projected


class CrossBlock(nn.Module):
    """Cross-attention and feed-forward with post-norm; the first block has no residual of its queries."""

    def __init__(self, dim: int, seen_dim: int, residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.norm1 = nn.LayerNorm(dim)
        self.attn = CrossAttention(dim, seen_dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, seen: Tokens) -> Tensor:
        """(R, T, C) and visible tokens -> (R, T, C)."""
        attended = self.attn(x, seen)
        x = self.norm1(x + attended if self.residual else attended)
        normed: Tensor = self.norm2(x + self.mlp(x))
        return normed


class CrossAttendingDecoder(nn.Module):
    """Positions (1, T, C) attend to visible tokens in ``blocks``."""

    questions: Tensor

    def __init__(self, config: DecoderConfig, dim: int, questions: Tensor) -> None:
        super().__init__()
        self.input_proj = nn.Linear(dim, config.dim)
        self.blocks = nn.ModuleList(CrossBlock(config.dim, dim, index > 0) for index in range(config.layers))
        self.proj = nn.Linear(config.dim, dim)
        self.register_buffer("questions", questions, persistent=False)
        self.apply(init_bert)

    def forward(self, x: Tensor, mask: Mask, padding_mask: Optional[Tensor] = None) -> Tensor:
        """(R, T, C), of which only visible tokens are read -> (N, C)."""
        seen = Tokens(x, padding_mask, mask.visible, mask.absent).gathered()
        answers = self.input_proj(self.questions.to(x.dtype)).expand(x.size(0), -1, -1)
        for block in self.blocks:
            answers = block(answers, seen)
        predictions: Tensor = self.proj(at_hidden(answers, mask))
        return predictions
