"""Attention against its formula and against torch's own, with every mask, with dropout and without."""

from __future__ import annotations

from typing import Dict, Optional

import pytest
import torch
from torch import Tensor

from data2vec_plugin.core.attention import SelfAttention, attend, attention_mask
from data2vec_plugin.core.config import TransformerConfig

PLAIN = TransformerConfig(layers=1, dim=16, ffn_dim=24, heads=4, dropout=0.0, attention_dropout=0.0)
B, T = 2, 7


def inputs() -> Tensor:
    return torch.randn(B, T, PLAIN.dim, generator=torch.Generator().manual_seed(1))


def padding() -> Tensor:
    """Two padded positions at the end of the first row."""
    mask = torch.zeros(B, T, dtype=torch.bool)
    mask[0, -2:] = True
    return mask


def bias() -> Tensor:
    return torch.randn(1, PLAIN.heads, T, T, generator=torch.Generator().manual_seed(2))


MASKS: Dict[str, Optional[Tensor]] = {
    "nothing": None,
    "padding": attention_mask(padding(), None, torch.float32),
    "bias": attention_mask(None, bias(), torch.float32),
    "bias and padding": attention_mask(padding(), bias(), torch.float32),
}


@pytest.mark.parametrize("masked", list(MASKS))
def test_the_way_with_dropout_is_torchs_attention(masked: str) -> None:
    """A share of dropout that drops nothing leaves only the arithmetic to compare, and its gradients."""
    results, mask = [], MASKS[masked]
    if mask is not None and mask.dtype != torch.bool:
        mask = mask.double()
    for dropout in (0.0, 1e-12):
        x = inputs().double().view(B, T, PLAIN.heads, -1).transpose(1, 2).requires_grad_()
        out = attend(x, x * 2, x + 1, mask, dropout)
        (out**2).sum().backward()
        results.append((out.detach(), x.grad))
    torch.testing.assert_close(results[1], results[0])


def test_dropout_drops_weights_and_keeps_their_mean() -> None:
    torch.manual_seed(0)
    q = k = torch.zeros(1, 1, 200, 4)
    v = torch.eye(200).view(1, 1, 200, 200)
    weights = attend(q, k, v, None, 0.25)
    kept = weights > 0
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.01)
    torch.testing.assert_close(weights[kept], torch.full_like(weights[kept], 1 / 200 / 0.75))


def test_dropout_is_for_training() -> None:
    torch.manual_seed(0)
    attention = SelfAttention(TransformerConfig(layers=1, dim=16, ffn_dim=24, heads=4, attention_dropout=0.5))
    x = inputs()
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_bias_is_added_to_the_attention_logits() -> None:
    torch.manual_seed(0)
    attention, x = SelfAttention(PLAIN), inputs()
    ours = attention(x, MASKS["bias and padding"])
    q, k, v = (
        projection(x).view(B, T, PLAIN.heads, -1).transpose(1, 2)
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    logits = q @ k.transpose(-1, -2) / (PLAIN.dim // PLAIN.heads) ** 0.5 + bias()
    weights = logits.masked_fill(padding()[:, None, None], float("-inf")).softmax(-1)
    torch.testing.assert_close(ours, attention.out_proj((weights @ v).transpose(1, 2).reshape(B, T, -1)))


def test_bias_takes_the_type_of_the_tokens() -> None:
    mask = attention_mask(padding(), bias(), torch.bfloat16)
    assert mask is not None
    assert mask.dtype == torch.bfloat16
    assert attention_mask(None, None, torch.float32) is None
