"""Tokens before those of the input: the encoder reads them, everything else knows the input's positions only."""

from __future__ import annotations

from typing import Any, Optional

import pytest
import torch
from torch import Tensor

from data2vec_plugin.core.config import Data2VecConfig, LossConfig, TargetConfig, TeacherConfig, TransformerConfig
from data2vec_plugin.core.encoder import Encoder
from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.core.model import Data2Vec
from data2vec_plugin.core.objective.terms import Regression
from data2vec_plugin.core.outputs import EncoderOutput, Tokens
from data2vec_plugin.core.reference import regression, span_masks
from data2vec_plugin.core.transformer import Transformer
from data2vec_plugin.core.view import MaskedView

DIM, EXTRA, B, T = 8, 2, 3, 5
TRANSFORMER = TransformerConfig(layers=3, dim=DIM, ffn_dim=12, heads=2, dropout=0.0, attention_dropout=0.0)


class Scale(torch.nn.Module):
    """Tokens that need no embedding but a scale, which tells the teacher's from the student's."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, source: Tensor, padding_mask: Optional[Tensor] = None) -> Tokens:
        return Tokens(source * self.scale, padding_mask)


def model(extra: int = EXTRA, scope: str = "encoder") -> Data2Vec:
    torch.manual_seed(0)
    config = Data2VecConfig(TRANSFORMER, TargetConfig(top_k=2), TeacherConfig(scope, 0.5, 0.5), extra_tokens=extra)
    encoder = Encoder(Transformer(TRANSFORMER), MaskedView(DIM), Scale(), extra)
    if encoder.extra_tokens is not None:
        torch.nn.init.normal_(encoder.extra_tokens)
    return Data2Vec(config, encoder, span_masks(config), torch.nn.Linear(DIM, DIM), [regression(config)]).train()


def source() -> Tensor:
    return torch.randn(B, T, DIM, generator=torch.Generator().manual_seed(1))


def indices() -> Tensor:
    found = torch.zeros(B, T, dtype=torch.bool)
    found[:, 1:3] = True
    return found


def padding() -> Tensor:
    found = torch.zeros(B, T, dtype=torch.bool)
    found[1, 4:] = True
    return found


@pytest.mark.parametrize("padded", [False, True])
def test_encoder_reads_them_and_nothing_of_them_comes_out(padded: bool) -> None:
    made, mask = model(), padding() if padded else None
    seen = []
    handle = made.encoder.transformer.register_forward_pre_hook(lambda module, args: seen.append(args))
    encoded = made.encoder.encode(Tokens(source(), mask), record=("ffn", "block"))
    handle.remove()
    x, padding_mask = seen[0][:2]
    assert torch.equal(x[:, :EXTRA], made.encoder.extra_tokens.expand(B, -1, -1))  # type: ignore[union-attr]
    assert torch.equal(x[:, EXTRA:], source() if mask is None else source().masked_fill(mask.unsqueeze(-1), 0))
    assert (padding_mask is None) == (mask is None)
    assert mask is None or torch.equal(padding_mask, torch.cat([torch.zeros(B, EXTRA, dtype=torch.bool), mask], 1))
    whole: EncoderOutput = made.encoder.transformer(x, padding_mask, record=("ffn", "block"))
    assert torch.equal(encoded.x, whole.x[:, EXTRA:])
    assert encoded.entered is not None
    assert encoded.entered.shape == (B, T, DIM)
    for name in ("ffn", "block"):
        assert [signal.shape for signal in encoded.signal(name)] == [(B, T, DIM)] * TRANSFORMER.layers
    if mask is not None:
        assert torch.equal(encoded.padding_mask, mask)  # type: ignore[arg-type]


def test_what_they_become_comes_first_where_it_is_wanted() -> None:
    made = model().eval()
    tokens = Tokens(source())
    whole, inputs = (made.encoder.encode(tokens, record=("block",), with_extra=wanted) for wanted in (True, False))
    seen = torch.cat([made.encoder.extra_tokens.expand(B, -1, -1), source()], 1)  # type: ignore[union-attr]
    assert torch.equal(whole.x, made.encoder.transformer(seen).x)
    assert torch.equal(whole.x[:, EXTRA:], inputs.x)
    assert [signal.shape for signal in whole.signal("block")] == [(B, EXTRA + T, DIM)] * TRANSFORMER.layers


def test_without_them_nothing_changes() -> None:
    made = model(extra=0)
    assert torch.equal(made.encoder.encode(Tokens(source()), with_extra=True).x, made.encoder.transformer(source()).x)
    assert made.encoder.extra_tokens is None
    assert "encoder.extra_tokens" not in made.state_dict()
    assert torch.equal(made.encoder.encode(Tokens(source())).x, made.encoder.transformer(source()).x)


def test_they_are_trained() -> None:
    made = model()
    made(source(), None, Mask.given(indices())).loss.backward()
    assert made.encoder.extra_tokens is not None
    assert made.encoder.extra_tokens.grad is not None
    assert float(made.encoder.extra_tokens.grad.abs().min()) > 0


@pytest.mark.parametrize("scope", ["encoder", "model"])
def test_whose_the_teacher_reads(scope: str) -> None:
    """A copy of the encoder reads the student's; a copy of the model averages them with the rest."""
    made = model(scope=scope)
    made.follow(0)
    before = made(source(), None, Mask.given(indices())).targets
    with torch.no_grad():
        made.encoder.extra_tokens.neg_()  # type: ignore[union-attr]
    after = made(source(), None, Mask.given(indices())).targets
    assert torch.equal(before, after) == (scope == "model")
    teacher: Any = made.ensure_teacher()
    assert ("encoder.extra_tokens" in teacher.fp32) == (scope == "model")
    made.follow(1)
    if scope == "model":
        moved = made(source(), None, Mask.given(indices())).targets
        assert not torch.equal(moved, before)
        assert torch.equal(teacher.module.encoder.extra_tokens, teacher.fp32["encoder.extra_tokens"])


def test_rows_are_counted_among_the_inputs_positions() -> None:
    made = model()
    tokens, rows = made.encoder.embed(source(), None), Mask.given(indices()).positions
    torch.testing.assert_close(made.encoder.encode(tokens, rows=rows).x, made.encoder.encode(tokens).x[indices()])


def test_terms_that_read_different_signals_are_refused() -> None:
    made = model()
    other = Regression(TargetConfig(top_k=2, signal="block"), LossConfig(), name="blocks")
    with pytest.raises(ValueError, match="`regression` reads ffn, `blocks` reads block"):
        Data2Vec(made.config, made.encoder, made.masks, made.predictor, [*made.terms, other])
