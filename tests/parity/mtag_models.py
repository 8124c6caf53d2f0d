"""MTAG as a recorded case has it: its variants, its configuration, its weights, its inputs, its edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import torch
from safetensors.torch import load_file
from torch import Tensor

from data2vec_plugin.multimodal.fusion import MTAG, Trace
from data2vec_plugin.multimodal.graph import SparseEdges
from data2vec_plugin.multimodal.options import BATCH, GRAPH, NONE, MTAGConfig, PruneConfig
from data2vec_plugin.multimodal.relations import LENGTH, MODALITIES, EdgeConfig

from parity.cases import Case, below, folders  # isort: skip

FORMS = ("dense", "sparse", "blocks")
GROUPS = ("in", "w", "w0", "out", "grad")
BY_GRAPH = "_prune_scope_graph"
"""How names of values end that were recorded with edges ranked within each graph."""


@dataclass(frozen=True)
class Recorded:
    """A model of a case: one of its variants, where it has some."""

    name: str
    config: Dict[str, Any]
    tensors: Dict[str, Tensor]

    def __str__(self) -> str:
        return self.name

    @property
    def weights(self) -> Dict[str, Tensor]:
        """What the model starts with."""
        return below("w.", self.tensors) or below("w0.", self.tensors)

    @property
    def inputs(self) -> Dict[str, Tensor]:
        """Padded features by modality."""
        return recorded_inputs(self.tensors)


def recorded_models(pattern: str = "mm_*") -> List[Recorded]:
    """The models of all cases that hold one, whatever they are called."""
    return [found for case in folders(pattern) for found in models_of(case)]


def models_of(case: Case) -> Iterator[Recorded]:
    """The models of a case: itself, or its variants, listed in its configuration or told by prefixes of its tensors."""
    path = case.folder / "tensors.safetensors"
    config = case.json("config")
    if not path.exists():
        return
    tensors = load_file(path)
    base = {key: value for key, value in config.items() if key != "variants"}
    listed = config.get("variants") or {name: {} for name in prefixes(tensors)}
    if isinstance(listed, list):
        listed = {entry["name"]: entry for entry in ({"name": e} if isinstance(e, str) else e for e in listed)}
    if not listed:
        found = [Recorded(str(case), base, tensors)]
    else:
        shared = {key: value for key, value in tensors.items() if key.split(".")[0] not in listed}
        found = [
            Recorded(f"{case}-{name}", {**base, **(own.get("config") or own)}, {**shared, **variant(name, tensors)})
            for name, own in listed.items()
        ]
    yield from (model for model in found if "num_gat_layers" in model.config and model.weights and model.inputs)


def prefixes(tensors: Mapping[str, Tensor]) -> List[str]:
    """What stands before `w.`, where tensors of several models lie in one file."""
    return sorted({key.split(".w.")[0] for key in tensors if ".w." in key and key.split(".")[0] not in GROUPS})


def variant(name: str, tensors: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """The tensors of a variant: `NAME.out.logits`, or `out.NAME.logits`."""
    found = below(f"{name}.", tensors)
    for group in GROUPS:
        found.update({f"{group}.{key}": value for key, value in below(f"{group}.{name}.", tensors).items()})
    return found


def mtag_config(recorded: Mapping[str, Any], implementation: str, scope: str = "") -> MTAGConfig:
    """Our settings for the release's keys."""
    kind = recorded.get("prune_type", "topk") if recorded.get("use_prune", 1) else NONE
    edges = EdgeConfig(
        time_aware=bool(recorded.get("time_aware_edges", 1)),
        type_aware=bool(recorded.get("type_aware_edges", 1)),
        direction=recorded.get("edge_direction", LENGTH),
        all_to_all=bool(recorded.get("use_all_to_all", 0)),
    )
    return MTAGConfig(
        dims=recorded["dims"],
        outputs=recorded["label_dim"],
        dim=recorded["graph_conv_out_dim"],
        heads=recorded["gat_conv_num_heads"],
        layers=recorded["num_gat_layers"],
        edges=edges,
        prune=PruneConfig(kind, recorded.get("prune_keep_p", 0.8), scope or recorded.get("prune_scope", BATCH)),
        use_positions=bool(recorded.get("use_pe", 1)),
        use_ffn=bool(recorded.get("use_ffn", 0)),
        use_conv1d=bool(recorded.get("use_conv1d", 0)),
        attention_dropout=0.0,
        input_dropout=0.0,
        residual=bool(recorded.get("use_residual", 0)),
        activation=recorded.get("graph_activation") or None,
        remove_isolated=bool(recorded.get("remove_isolated", 0)),
        implementation=implementation,
    )


def recorded_model(recorded: Recorded, implementation: str, scope: str = "") -> MTAG:
    """The model of a case, in evaluation mode."""
    model = MTAG(mtag_config(recorded.config, implementation, scope))
    model.load_state_dict(recorded.weights, strict=True)
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


__all__ = ["BATCH", "BY_GRAPH", "FORMS", "GRAPH", "by_pair", "mtag_config", "real_nodes", "recorded_model"]
