"""Multi-head self-attention of every modality, and its masks."""

from __future__ import annotations

from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import TransformerConfig
from .kernels.products import project
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
        q, k, v = self.queries_keys_values(x)
        attended = attend(q, k, v, mask, self.dropout if self.training else 0.0)
        return project(at_rows(attended.transpose(1, 2).reshape(x.shape), rows), self.out_proj)

    def queries_keys_values(self, x: Tensor) -> Tuple[Tensor, ...]:
        """(B, T, C) -> three times (B, H, T, C/H)."""
        batch, time, _ = x.shape
        return tuple(
            project(x, proj).view(batch, time, self.heads, -1).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )


class FusedSelfAttention(SelfAttention):
    """Self-attention with one matrix for queries, keys and values, as in data2vec 2.0: fewer kernels and parameters."""

    def __init__(self, config: TransformerConfig) -> None:
        nn.Module.__init__(self)
        self.heads = config.heads
        self.dropout = config.attention_dropout
        self.qkv = nn.Linear(config.dim, 3 * config.dim)
        self.out_proj = nn.Linear(config.dim, config.dim)

    def queries_keys_values(self, x: Tensor) -> Tuple[Tensor, ...]:
        """(B, T, C) -> three times (B, H, T, C/H)."""
        batch, time, _ = x.shape
        # (B, T, 3C) -> (3, B, H, T, C/H)
        return project(x, self.qkv).view(batch, time, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor], dropout: float) -> Tensor:
    """Scaled dot-product attention (B, H, T, C/H); ``mask`` as in torch, ``dropout`` on the weights."""
    learned = mask is not None and mask.requires_grad
    if q.device.type != "cpu" or (dropout == 0 and not learned):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
    # torch has no CPU kernel with dropout or for a learned bias; its fallback reads the scores more often
    batch, heads, time, _ = q.shape
    if q.shape == k.shape == v.shape:
        q, k, v = torch.stack([q, k, v]).unbind(0)  # one copy, not three
    q, k, v = (part.flatten(0, 1) for part in (q, k, v))
    bias = q.new_zeros(()) if mask is None else additive(mask, q.dtype).expand(batch, heads, time, -1).flatten(0, 1)
    scores = torch.baddbmm(bias, q, k.transpose(1, 2), beta=float(mask is not None), alpha=q.size(-1) ** -0.5)
    attended: Tensor = F.dropout(scores.softmax(-1), dropout) @ v
    return attended.view(batch, heads, time, -1)


def attention_mask(padding_mask: Optional[Tensor], bias: Optional[Tensor], dtype: torch.dtype) -> Optional[Tensor]:
    """Combine key padding (B, T) and an additive bias into a mask for SDPA: bool, or a bias in ``dtype``."""
    if padding_mask is None:
        return None if bias is None else bias.to(dtype)
    keys = ~padding_mask[:, None, None, :]
    if bias is None:
        return keys
    return bias.to(dtype).masked_fill(~keys, float("-inf"))


def additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn a bool mask (True = attend) into a bias that is added to the scores; a bias is returned as it is."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, torch.finfo(dtype).min)
