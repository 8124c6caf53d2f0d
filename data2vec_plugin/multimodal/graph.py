"""Batches of graphs, in the forms that attention is computed in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import List, Sequence, Tuple, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .edge_blocks import BlockEdges, block_edges
from .options import AUTO, BLOCKS, DENSE
from .relations import EdgeConfig, Relations, relation_matrix

DENSE_WASTE = 6.0
"""Node pairs per edge from which on a list of edges is cheaper than a matrix."""
DENSE_PLACES = 2**26
"""Node pairs of a batch above which the several matrices of attention need too much memory."""
BLOCK_EDGES = 40_000
"""Edges of a batch's graphs, on average, from which on blocks are cheaper than matrices on a CPU."""


@dataclass(frozen=True)
class DenseEdges:
    """``relations`` (B, N, N) int8: target, source; -1 where there is no edge."""

    relations: Tensor
    counts: Tuple[int, ...]
    """Edges of each graph."""


@dataclass(frozen=True)
class SparseEdges:
    """Edges in the order of graph, target, source: nodes are numbered through the batch, N a graph; (E,) int64."""

    source: Tensor
    target: Tensor
    relation: Tensor
    counts: Tuple[int, ...]
    size: int
    """Nodes of a graph, padding included."""

    def chosen(self, kept: Tensor, counts: Sequence[int]) -> SparseEdges:
        """Only the edges at the indices ``kept``, ``counts`` per graph."""
        source, target, relation = (edges[kept] for edges in (self.source, self.target, self.relation))
        return replace(self, source=source, target=target, relation=relation, counts=tuple(counts))


Edges = Union[DenseEdges, SparseEdges, BlockEdges]


@dataclass(frozen=True)
class Layout:
    """The origin of a batch's nodes, determined on the host: vision, text, then audio of every graph.

    ``rows`` (B, N) are indices into the modalities' concatenated rows, ``types`` (B, N) the modality of a node,
    ``real`` (B, N) is False for padding, ``lengths`` are the numbers of nodes of each modality.
    """

    rows: NDArray[np.int64]
    types: NDArray[np.int64]
    real: NDArray[np.bool_]
    lengths: List[Tuple[int, ...]]


def node_layout(frames: Sequence[NDArray[np.bool_]]) -> Layout:
    """Lay out nodes, given the rows of each modality, (B, L), that are frames and not padding."""
    side_by_side = np.concatenate(frames, axis=1)
    lengths = np.stack([modality.sum(1) for modality in frames], axis=1)
    size = max(int(lengths.sum(1).max()), 1)
    rows = np.argsort(~side_by_side, axis=1, kind="stable")[:, :size]
    rows = np.pad(rows, ((0, 0), (0, size - rows.shape[1])))
    modality = np.repeat(np.arange(len(frames)), [part.shape[1] for part in frames])
    types = modality[rows] if len(modality) else np.zeros_like(rows)
    real = np.arange(size) < lengths.sum(1)[:, None]
    return Layout(rows, types, real, [tuple(int(n) for n in row) for row in lengths])


def build_edges(
    lengths: Sequence[Sequence[int]], config: EdgeConfig, implementation: str, device: torch.device
) -> Edges:
    """The edges of a batch; with ``auto`` in the form that is cheapest for their number."""
    matrices = [relation_matrix(row, config) for row in lengths]
    size = max(max(map(len, matrices)), 1)
    counts = tuple(int((matrix >= 0).sum()) for matrix in matrices)
    if implementation == BLOCKS or (implementation == AUTO and are_blocks_cheaper(counts, device)):
        return block_edges(matrices, lengths, size)
    if implementation == DENSE or (implementation == AUTO and is_dense_cheaper(len(matrices), size, sum(counts))):
        return dense_edges(matrices, counts, size, device)
    return sparse_edges(matrices, counts, size, device)


def are_blocks_cheaper(counts: Sequence[int], device: torch.device) -> bool:
    """Whether graphs are so large that blocks, one graph after the other, are faster than all at once."""
    return device.type == "cpu" and sum(counts) >= BLOCK_EDGES * len(counts)


def is_dense_cheaper(graphs: int, size: int, edges: int) -> bool:
    """Whether matrices of ``size`` nodes squared are cheaper than a list of edges."""
    places = graphs * size * size
    return places <= DENSE_PLACES and places <= DENSE_WASTE * max(edges, 1)


def dense_edges(matrices: Sequence[Relations], counts: Tuple[int, ...], size: int, device: torch.device) -> DenseEdges:
    """Matrices of relations as one tensor."""
    padded = np.full((len(matrices), size, size), -1, dtype=np.int8)
    for place, matrix in enumerate(matrices):
        padded[place, : len(matrix), : len(matrix)] = matrix
    return DenseEdges(torch.from_numpy(padded).to(device), counts)


def sparse_edges(
    matrices: Sequence[Relations], counts: Tuple[int, ...], size: int, device: torch.device
) -> SparseEdges:
    """Matrices of relations as lists of edges."""
    found = [np.nonzero(matrix >= 0) for matrix in matrices]
    target = np.concatenate([rows + place * size for place, (rows, _) in enumerate(found)])
    source = np.concatenate([columns + place * size for place, (_, columns) in enumerate(found)])
    relation = np.concatenate([matrix[places] for matrix, places in zip(matrices, found)]).astype(np.int64)
    ends = [torch.from_numpy(array).to(device) for array in (source, target, relation)]
    return SparseEdges(ends[0], ends[1], ends[2], counts, size)


def given_edges(edge_index: Tensor, relation: Tensor, nodes: int, relations: int) -> SparseEdges:
    """A list of edges of one graph, (2, E) source and target; raises ValueError for indices out of range."""
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.size(1) != relation.numel():
        raise ValueError(
            f"`edge_index` has shape {tuple(edge_index.shape)} for {relation.numel()} relations; expected (2, E)"
        )
    for name, values, limit in (("edge_index", edge_index, nodes), ("relation", relation, relations)):
        wrong = ((values < 0) | (values >= limit)).nonzero()
        if len(wrong):
            place = tuple(wrong[0].tolist())
            raise ValueError(f"`{name}` is {int(values[place])} at {list(place)}; expected 0 to {limit - 1}")
    order = torch.argsort(edge_index[1] * nodes + edge_index[0])
    source, target = edge_index[:, order].long()
    return SparseEdges(source, target, relation[order].long(), (relation.numel(),), nodes)
