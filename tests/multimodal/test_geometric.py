"""Graphs for torch_geometric: the same edges; where the package is not there, what to install is said."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from data2vec_plugin.multimodal.geometric import as_data, as_hetero_data
from data2vec_plugin.multimodal.relations import EdgeConfig, edge_count, relation_matrix

LENGTHS = (4, 2, 3)


def test_a_graph_keeps_its_edges_and_their_relations() -> None:
    pytest.importorskip("torch_geometric")
    data = as_data(torch.randn(9, 8), LENGTHS, EdgeConfig())
    matrix = relation_matrix(LENGTHS, EdgeConfig())
    assert data.num_edges == edge_count(LENGTHS)
    source, target = data.edge_index
    assert torch.equal(torch.from_numpy(matrix)[target, source].long(), data.edge_type)
    assert data.node_type.tolist() == [0] * 4 + [1] * 2 + [2] * 3


def test_types_of_edges_name_modalities_and_time() -> None:
    pytest.importorskip("torch_geometric")
    x = torch.randn(9, 8)
    data = as_hetero_data(x, LENGTHS)
    assert data.num_edges == edge_count(LENGTHS)
    assert torch.equal(data["audio"].x, x[6:])
    assert data["text", "future", "text"].edge_index.tolist() == [[0], [1]]
    assert len(data.edge_types) <= 27
    data.validate()


def test_what_is_missing_is_said(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(ImportError, match=r"pip install 'data2vec-fairseq\[multimodal\]'"):
        as_data(torch.randn(9, 8), LENGTHS, EdgeConfig())
    with pytest.raises(ValueError, match=r"`lengths` are \[4, 2, 3\] for 8 nodes"):
        as_data(torch.randn(8, 8), LENGTHS, EdgeConfig())
