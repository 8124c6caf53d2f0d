"""Tokens of text: padded = alone, the teacher's own embedding, rows that fit, heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, List

import pytest
import torch
from torch import Tensor, nn

from data2vec_plugin.core.config import Data2VecConfig, TargetConfig, TeacherConfig, TransformerConfig
from data2vec_plugin.core.masks.mask import Mask
from data2vec_plugin.modalities.text import TextConfig, regression_head, text_data2vec

PAD, MASK, WORDS, DIM = 1, 4, 30, 8
TRANSFORMER = TransformerConfig(layers=2, dim=DIM, ffn_dim=12, heads=2, norm_at="none", dropout=0.0)
TRANSFORMER = replace(TRANSFORMER, attention_dropout=0.0)
METHOD = Data2VecConfig(TRANSFORMER, TargetConfig(top_k=2))
TEXT = TextConfig(WORDS, PAD, MASK, max_positions=16)
LONG, SHORT = 12, 7


def model(text: TextConfig = TEXT, **settings: Any) -> Any:
    torch.manual_seed(0)
    made = text_data2vec(replace(METHOD, **settings), text)
    for parameter in made.parameters():  # BERT's weights are too small to tell outputs apart
        parameter.data = torch.where(parameter == 0, 0.0, parameter + 0.3 * torch.randn_like(parameter))
    return made


def rows() -> List[Tensor]:
    """A long and a short row of ids."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(5, WORDS, (1, size), generator=generator) for size in (LONG, SHORT)]


def batch() -> Tensor:
    long, short = rows()
    return torch.cat([long, nn.functional.pad(short, (0, LONG - SHORT), value=PAD)])


def hidden(width: int, count: int = 1) -> Tensor:
    mask = torch.zeros(count, width, dtype=torch.bool)
    mask[:, 2:5] = True
    return mask


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
def test_padded_row_has_the_features_of_the_same_row_alone(positions: str) -> None:
    made, source = model(replace(TEXT, positions=positions)).eval(), batch()
    together = made.encoder.encode(made.encoder.embed(source, source.eq(PAD))).x
    for row, alone in enumerate(rows()):
        x = made.encoder.encode(made.encoder.embed(alone, None)).x
        torch.testing.assert_close(together[row, : alone.size(1)], x[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "norms",
    [{}, {"layer_norm_average": True}, {"instance_norm": True}, {"instance_norm_average": True}],
    ids=["none", "layer_norm", "instance_norm", "instance_norm_average"],
)
def test_padded_row_has_the_targets_of_the_same_row_alone(norms: Any) -> None:  # B31
    made, source = model(targets=TargetConfig(top_k=2, **norms)), batch()
    together = made(source, source.eq(PAD), Mask.given(hidden(LONG, 2)), whole=source)
    for row, alone in enumerate(rows()):
        output = made(alone, None, Mask.given(hidden(alone.size(1))), whole=alone)
        for name in ("targets", "predictions"):
            ours = getattr(together, name).view(2, 3, DIM)[row]
            torch.testing.assert_close(ours, getattr(output, name), rtol=1e-4, atol=1e-5)


def test_reference_takes_padding_into_its_statistics() -> None:
    settings = TargetConfig(top_k=2, instance_norm=True)
    made, source = model(targets=settings, reference_compat=True), batch()
    together = made(source, source.eq(PAD), Mask.given(hidden(LONG, 2)), whole=source)
    alone = made(rows()[1], None, Mask.given(hidden(SHORT)), whole=rows()[1])
    assert (together.targets.view(2, 3, DIM)[1] - alone.targets).abs().max() > 0.01


def test_teacher_reads_the_whole_sentence_by_its_own_embedding() -> None:
    made, whole = model(), rows()[0]
    teacher: Any = made.ensure_teacher().module
    made.encoder.embedder.embed_tokens.weight.data.mul_(-1)  # the student's has moved on
    source = whole.masked_fill(hidden(LONG), MASK)
    output = made(source, None, Mask.given(hidden(LONG)), whole)
    signals = teacher.encoder.encode(teacher.encoder.embed(whole), record=("ffn",)).signal("ffn")
    torch.testing.assert_close(output.targets, torch.stack(signals).mean(0)[hidden(LONG)], rtol=1e-5, atol=1e-5)


def test_embedding_adds_scale_positions_and_norm() -> None:
    source = torch.tensor([[7, 8, PAD]])
    made = model(replace(TEXT, scale_embedding=True, norm_embedding=False))
    encoder: Any = made.encoder.embedder
    x = made.encoder.embed(source, source.eq(PAD)).x
    torch.testing.assert_close(
        x[0, :2], encoder.embed_tokens.weight[7:9] * DIM**0.5 + encoder.embed_positions.weight[2:4]
    )
    assert (x[0, 2] == 0).all()
    plain = model(replace(TEXT, positions="none", norm_embedding=False))
    torch.testing.assert_close(plain.encoder.embed(source, None).x, plain.encoder.embedder.embed_tokens(source))
    normed = model().encoder.embed(source, None).x
    torch.testing.assert_close(normed.var(-1, correction=0)[0, :2], torch.ones(2), rtol=1, atol=1)


def test_rows_that_are_too_long_are_refused_with_the_key() -> None:
    made = model()
    made.encoder.embed(torch.full((1, 16), 7), None)
    message = r"rows of 17 tokens, this model has positions for 16: .*`model\.transformer\.max_source_positions`"
    with pytest.raises(ValueError, match=message):
        made.encoder.embed(torch.full((1, 17), 7), None)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_head_is_as_wide_and_deep_as_upstreams(layers: int) -> None:
    head = regression_head(DIM, layers)
    shapes = [tuple(module.weight.shape) for module in head if isinstance(module, nn.Linear)]
    assert shapes == {1: [(8, 8)], 2: [(16, 8), (8, 16)], 3: [(16, 8), (16, 16), (8, 16)]}[layers]
    assert [name for name, _ in head.named_parameters() if name.endswith("bias")] == [
        f"{2 * index}.bias" for index in range(layers)
    ]
    assert head(torch.randn(5, DIM)).shape == (5, DIM)


def test_a_head_without_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="`head_layers` is 0; expected at least 1"):
        regression_head(DIM, 0)


@pytest.mark.parametrize(("scope", "copied"), [("layers", True), ("encoder", False)])
def test_with_scope_layers_the_embeddings_are_copied(scope: str, copied: bool) -> None:
    made = model(teacher=TeacherConfig(scope, 0.9, 0.9))
    made.train()
    made.follow(0)
    before = {name: tensor.clone() for name, tensor in made.ensure_teacher().fp32.items()}
    for parameter in made.parameters():
        parameter.data += 1
    made.follow(1)
    student = dict(made.named_parameters())
    for name, tensor in made.ensure_teacher().fp32.items():
        verbatim = copied and name.startswith("encoder.embedder.")
        wanted = student[name] if verbatim else 0.9 * before[name] + 0.1 * student[name]
        torch.testing.assert_close(tensor, wanted.data, rtol=1e-5, atol=1e-5)


def test_text_comes_masked_or_not_at_all() -> None:
    made = model()
    assert not list(made.encoder.view.parameters())
    with pytest.raises(ValueError, match="text is masked by the data loader"):
        made(rows()[0])


def test_weights_start_as_berts() -> None:
    torch.manual_seed(0)
    encoder: Any = text_data2vec(METHOD, replace(TEXT, vocabulary=3000)).encoder.embedder
    assert (encoder.embed_tokens.weight[PAD] == 0).all()
    assert (encoder.embed_positions.weight[PAD] == 0).all()
    assert float(encoder.embed_tokens.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
