"""Encoders as whole graphs: exported with batch and length left open, blocks compiled without a break."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import pytest
import torch
from models.tiny import batch, tiny_model
from models.tiny_text import tiny_text
from models.tiny_vision import images, tiny_vision
from torch import Tensor

from data2vec_plugin.core.config import TransformerConfig
from data2vec_plugin.core.transformer import Block

export = pytest.importorskip("torch.export")
needs_dynamic = pytest.mark.skipif(not hasattr(getattr(export, "Dim", None), "DYNAMIC"), reason="torch before 2.6")


def ids(rows: int, width: int) -> Tensor:
    return torch.randint(5, 20, (rows, width), generator=torch.Generator().manual_seed(1))


def of_modality(name: str) -> Tuple[Any, Tensor, Tensor, List[int]]:
    """A model, an input to export with, one of other sizes, and the axes that are left open."""
    if name == "speech":
        return (
            tiny_model(encoder_layers=1, average_top_k_layers=1),
            batch(2),
            torch.randn(3, batch(2).size(1) + 333),
            [0, 1],
        )
    if name == "text":
        return tiny_text(), ids(2, 9), ids(3, 6), [0, 1]
    return tiny_vision(), images(), torch.cat([images(), images()[:1]]), [0]


@needs_dynamic
@pytest.mark.parametrize("modality", ["speech", "text", "image"])
def test_an_encoder_is_exported_with_open_sizes(modality: str) -> None:
    model, first, other, axes = of_modality(modality)
    encoder = model.eval().encoder
    program = export.export(encoder, (first,), dynamic_shapes=(dict.fromkeys(axes, export.Dim.DYNAMIC),))
    with torch.no_grad():
        ours, wanted = program.module()(other), encoder(other)
    torch.testing.assert_close(ours.x, wanted.x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "with_rows"),
    [({}, True), ({"norm_first": True, "layer_scale": 0.1, "drop_path": 0.1}, False)],
    ids=str,
)
def test_a_block_is_one_graph(settings: Dict[str, Any], with_rows: bool) -> None:
    torch.manual_seed(0)
    torch._dynamo.reset()
    config = TransformerConfig(layers=1, dim=8, ffn_dim=12, heads=2, dropout=0.0, attention_dropout=0.0, **settings)
    block, x = Block(config, config.drop_path).eval(), torch.randn(2, 5, 8)
    rows = torch.tensor([1, 3, 8]) if with_rows else None
    whole = torch.compile(block, backend="eager", fullgraph=True)
    for name, signal in whole(x, None, rows).items():
        torch.testing.assert_close(signal, block(x, None, rows)[name], rtol=1e-5, atol=1e-5)
    assert torch._dynamo.explain(block)(x, None, rows).graph_break_count == 0


def test_compiled_blocks_of_student_and_teacher_give_what_eager_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: List[Block] = []
    monkeypatch.setattr(
        Block, "compile", lambda block: compiled.append(block) or torch.nn.Module.compile(block, backend="eager")
    )
    results = []
    for compile_encoder in (False, True):
        torch._dynamo.reset()
        model: Any = tiny_model(compile_encoder=compile_encoder, encoder_layerdrop=0.3)
        model.train()
        losses = []
        for update in range(3):
            model.set_num_updates(update)
            torch.manual_seed(update)
            loss = model(batch(2))["losses"]["regression"]
            loss.backward()
            losses.append(loss.detach())
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        results.append((torch.stack(losses), gradients))
    layers = {
        id(block)
        for module in (model, model.method.teacher.module)
        for block in module.modules()
        if isinstance(block, Block)
    }
    assert {id(block) for block in compiled} == layers
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
