"""Multi-head self-attention of every modality, and what its masks may be."""

from __future__ import annotations

from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import TransformerConfig
from .outputs import at_rows


class SelfAttention(nn.Module):
    """Multi-head self-attention; ``mask`` broadcasts to (B, H, T, T), bool (True = attend) or an additive bias."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.dropout = config.attention_dropout
        self.k_proj = nn.Linear(config.dim, config.dim, bias=config.key_bias)
        self.v_proj = nn.Linear(config.dim, config.dim)
        self.q_proj = nn.Linear(config.dim, config.dim)
        self.out_proj = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, mask: Optional[Tensor] = None, rows: Optional[Tensor] = None) -> Tensor:
        """(B, T, C) -> (B, T, C), or (N, C) at the flat positions ``rows`` (N,) of B·T."""
        batch, time, dim = x.shape
        # (B, T, C) -> (B, H, T, C/H)
        q, k, v = (
            proj(x).view(batch, time, self.heads, -1).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = attend(q, k, v, mask, self.dropout if self.training else 0.0)
        projected: Tensor = self.out_proj(at_rows(attended.transpose(1, 2).reshape(batch, time, dim), rows))
        return projected


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor], dropout: float) -> Tensor:
    """Scaled dot-product attention (B, H, T, C/H); ``mask`` as torch's takes it, ``dropout`` on the weights."""
    learned = mask is not None and mask.requires_grad
    if q.device.type != "cpu" or (dropout == 0 and not learned):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    # torch has no CPU kernel with dropout or for a bias that is learned; what it falls back to reads scores more often
    scores = (q * q.size(-1) ** -0.5) @ k.transpose(-2, -1)
    if mask is not None:
        scores += additive(mask, scores.dtype)
    return F.dropout(scores.softmax(-1), dropout) @ v


def attention_mask(padding_mask: Optional[Tensor], bias: Optional[Tensor], dtype: torch.dtype) -> Optional[Tensor]:
    """Combine key padding (B, T) and an additive bias into what SDPA takes: bool, or a bias in ``dtype``."""
    if padding_mask is None:
        return None if bias is None else bias.to(dtype)
    keys = ~padding_mask[:, None, None, :]
    if bias is None:
        return keys
    return bias.to(dtype).masked_fill(~keys, float("-inf"))


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A bool mask (True = attend) as what is added to scores; a bias is one already."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)
