"""MTAG as a recorded case has it: its configuration, its weights, its inputs, its edges."""

from __future__ import annotations

from typing import Any, Dict, Mapping, Tuple

import torch
from torch import Tensor

from data2vec_plugin.multimodal.fusion import MTAG, Trace
from data2vec_plugin.multimodal.graph import SparseEdges
from data2vec_plugin.multimodal.options import BATCH, GRAPH, NONE, MTAGConfig, PruneConfig
from data2vec_plugin.multimodal.relations import LENGTH, MODALITIES, EdgeConfig

from parity.cases import below  # isort: skip

DENSE_AND_SPARSE = ("dense", "sparse", "blocks")


def mtag_config(recorded: Mapping[str, Any], implementation: str, scope: str = "") -> MTAGConfig:
    """Our settings for the release's keys."""
    kind = recorded["prune_type"] if recorded.get("use_prune", 1) else NONE
    edges = EdgeConfig(
        time_aware=bool(recorded["time_aware_edges"]),
        type_aware=bool(recorded["type_aware_edges"]),
        direction=recorded.get("edge_direction", LENGTH),
        all_to_all=bool(recorded["use_all_to_all"]),
    )
    return MTAGConfig(
        dims=recorded["dims"],
        outputs=recorded["label_dim"],
        dim=recorded["graph_conv_out_dim"],
        heads=recorded["gat_conv_num_heads"],
        layers=recorded["num_gat_layers"],
        edges=edges,
        prune=PruneConfig(kind, recorded["prune_keep_p"], scope or recorded.get("prune_scope", BATCH)),
        use_positions=bool(recorded["use_pe"]),
        use_ffn=bool(recorded["use_ffn"]),
        use_conv1d=bool(recorded["use_conv1d"]),
        attention_dropout=0.0,
        input_dropout=0.0,
        residual=bool(recorded["use_residual"]),
        activation=recorded["graph_activation"] or None,
        remove_isolated=bool(recorded["remove_isolated"]),
        implementation=implementation,
    )


def recorded_model(recorded: Mapping[str, Any], tensors: Mapping[str, Tensor], implementation: str) -> MTAG:
    """The model of a case, in evaluation mode."""
    model = MTAG(mtag_config(recorded, implementation))
    model.load_state_dict(below("w.", tensors), strict=True)
    return model.eval()


def recorded_inputs(tensors: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    return {name: tensors[f"in.{name}"] for name in MODALITIES if f"in.{name}" in tensors}


def by_pair(trace: Trace, layer: int) -> Dict[Tuple[int, int], Tuple[int, Tensor]]:
    """Relation and attention (H,) of a layer's edges, by source and target as the cases number them."""
    places = real_places(trace)
    edges, attention = trace.edges[layer], trace.attention[layer] if layer < len(trace.attention) else None
    if isinstance(edges, SparseEdges):
        source, target, relation = edges.source, edges.target, edges.relation
        weights = attention
    else:
        graph, row, column = (edges.relations >= 0).nonzero(as_tuple=True)
        size = edges.relations.size(1)
        source, target = graph * size + column, graph * size + row
        relation = edges.relations[graph, row, column].long()
        weights = None if attention is None else attention.permute(0, 2, 3, 1)[graph, row, column]
    numbers = zip(places[source].tolist(), places[target].tolist(), relation.tolist())
    return {
        (s, t): (r, torch.zeros(0) if weights is None else weights[place]) for place, (s, t, r) in enumerate(numbers)
    }


def real_places(trace: Trace) -> Tensor:
    """Number of each node of the batch, padding left out, by its place in the padded batch."""
    real = torch.from_numpy(trace.layout.real).flatten()
    return real.long().cumsum(0) - 1


def real_nodes(trace: Trace, nodes: Tensor) -> Tensor:
    """The nodes (M, D) of all graphs one after the other."""
    return nodes.flatten(0, 1)[torch.from_numpy(trace.layout.real).flatten()]


__all__ = ["BATCH", "DENSE_AND_SPARSE", "GRAPH", "by_pair", "mtag_config", "real_nodes", "recorded_model"]
