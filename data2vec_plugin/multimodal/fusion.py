"""MTAG, the Modal-Temporal Attention Graph (Yang et al., NAACL 2021): unaligned sequences fused in one graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from .edge_blocks import BlockEdges
from .graph import DenseEdges, Edges, Layout, SparseEdges, build_edges, node_layout
from .nodes import NodeEncoder
from .options import NONE, RANDOM, MTAGConfig
from .pruning import prune
from .relation_attention import Attention, RelationAttention
from .relations import MODALITIES

Frames = Mapping[str, NDArray[np.bool_]]
ACTIVATIONS: Dict[Optional[str], Callable[[Tensor], Tensor]] = {
    None: lambda x: x,
    "lrelu": lambda x: F.leaky_relu(x, 0.1),
    "gelu": F.gelu,
}


@dataclass
class Trace:
    """Records the intermediate results of a forward pass on request: nodes (B, N, D), edges and attention."""

    layout: Optional[Layout] = None
    nodes: List[Tensor] = field(default_factory=list)
    edges: List[Edges] = field(default_factory=list)
    attention: List[Attention] = field(default_factory=list)
    readout: Optional[Tensor] = None

    def follow(self, x: Tensor, edges: Edges, attention: Attention) -> None:
        """Record a layer: its output nodes, its edges, and their attention; blocks as matrices."""
        self.nodes.append(x)
        self.edges.append(edges if isinstance(edges, SparseEdges) else as_matrices(edges))
        if isinstance(edges, BlockEdges) and not isinstance(attention, Tensor):
            attention = edges.matrix(attention, 0)
        self.attention.append(attention)


class MTAG(NodeEncoder):
    """Nodes from frames, layers of relation-aware attention, each on the edges kept by the previous one, and a mean.

    Sizes and options are in :class:`MTAGConfig`; names of weights: ``{modality}_fc``, ``layers.L``, ``head``.
    """

    def __init__(self, config: MTAGConfig) -> None:
        super().__init__()
        self.config = config
        self.make_encoders(config.dims, config.dim, config.use_ffn, config.use_conv1d)
        sizes = (config.dim, config.heads, len(MODALITIES), config.edges.count, config.attention_dropout)
        self.layers = nn.ModuleList(RelationAttention(*sizes) for _ in range(config.layers))
        hidden = config.dim // 4
        steps = (nn.Linear(config.dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.head = nn.Sequential(*steps, nn.Linear(hidden, config.outputs))

    def forward(
        self, modalities: Mapping[str, Tensor], frames: Optional[Frames] = None, trace: Optional[Trace] = None
    ) -> Tensor:
        """Features (B, L, channels) of each modality -> (B, outputs).

        ``frames`` (B, L) is True for frames and False for padding; without it, rows of zeros count as padding, which
        requires a device synchronisation. A missing modality has no nodes; without any node the readout is zeros.
        """
        inputs = {name: modalities[name] for name in self.config.dims if name in modalities}
        if not inputs:
            raise ValueError(f"got {sorted(modalities)}; expected at least one of {', '.join(self.config.dims)}")
        x, layout = self.nodes(inputs, frames if frames is not None else nonzero_rows(inputs))
        types, real = (torch.from_numpy(array).to(x.device) for array in (layout.types, layout.real))
        edges = build_edges(layout.lengths, self.config.edges, self.config.implementation, x.device)
        if trace is not None:
            trace.layout = layout
            trace.nodes.append(x)
        for place, layer in enumerate(self.layers, start=1):
            x, attention = self.mix(layer, x, types, edges, trace)
            # the edges left after the last layer are not needed, unless
            if place < len(self.layers) or self.config.remove_isolated or trace is not None:
                edges = self.pruned(edges, attention)
        readout = self.readout(x, real, edges)
        if trace is not None:
            trace.edges.append(edges if isinstance(edges, SparseEdges) else as_matrices(edges))
            trace.readout = readout
        outputs: Tensor = self.head(readout)
        return outputs

    def nodes(self, inputs: Mapping[str, Tensor], frames: Frames) -> Tuple[Tensor, Layout]:
        """Node vectors (B, N, D), zeros for padding, and their origin."""
        encoded = {name: self.encode(name, x, self.config.use_positions) for name, x in inputs.items()}
        some = next(iter(encoded.values()))
        nothing = np.zeros((len(some), 0), dtype=bool)
        layout = node_layout([np.asarray(frames[name]) if name in inputs else nothing for name in MODALITIES])
        rows = torch.cat([encoded[name] for name in MODALITIES if name in encoded], dim=1)
        index = torch.from_numpy(layout.rows).to(rows.device).unsqueeze(-1).expand(-1, -1, rows.size(-1))
        real = torch.from_numpy(layout.real).to(rows.device).unsqueeze(-1)
        x = F.dropout(rows.gather(1, index), self.config.input_dropout, self.training)
        return x.masked_fill(~real, 0), layout

    def mix(
        self, layer: nn.Module, x: Tensor, types: Tensor, edges: Edges, trace: Optional[Trace]
    ) -> Tuple[Tensor, Attention]:
        """One layer: its output nodes and its attention."""
        mixed, attention = layer(x, types, edges)
        x = ACTIVATIONS[self.config.activation](x + mixed if self.config.residual else mixed)
        if trace is not None:
            trace.follow(x, edges, attention)
        return x, attention

    def pruned(self, edges: Edges, attention: Attention) -> Edges:
        """The edges for the next layer."""
        if self.config.prune.kind == NONE or (self.config.prune.kind == RANDOM and not self.training):
            return edges
        return prune(edges, attention, self.config.prune)

    def readout(self, x: Tensor, real: Tensor, edges: Edges) -> Tensor:
        """Mean of a graph's nodes (B, D), with ``remove_isolated`` only of those with an edge to or from another node.

        If there are none, the mean of all nodes; without any node, zeros.
        """
        counted = real
        if self.config.remove_isolated:
            tied = tied_nodes(edges, real)
            counted = torch.where(tied.any(1, keepdim=True), tied, real)
        share = counted.to(x.dtype).unsqueeze(-1)
        return (x * share).sum(1) / share.sum(1).clamp_min(1)


def nonzero_rows(inputs: Mapping[str, Tensor]) -> Frames:
    """Which rows of each modality are not all zeros, on the host."""
    return {name: (x != 0).any(-1).cpu().numpy() for name, x in inputs.items()}


def as_matrices(edges: Union[DenseEdges, BlockEdges]) -> DenseEdges:
    """Blocks as matrices."""
    return DenseEdges(edges.relations(), edges.counts) if isinstance(edges, BlockEdges) else edges


def tied_nodes(edges: Edges, real: Tensor) -> Tensor:
    """Which nodes (B, N) have an edge to or from another node."""
    if isinstance(edges, SparseEdges):
        between = (edges.source != edges.target).to(torch.int32)
        tied = torch.zeros(real.numel(), dtype=torch.int32, device=real.device)
        tied.index_add_(0, edges.source, between)
        tied.index_add_(0, edges.target, between)
        return tied.view_as(real) > 0
    relations = as_matrices(edges).relations
    loops = torch.eye(real.size(1), dtype=torch.bool, device=real.device)
    between_nodes = (relations >= 0) & ~loops
    return between_nodes.any(1) | between_nodes.any(2)
