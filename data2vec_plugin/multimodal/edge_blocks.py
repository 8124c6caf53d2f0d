"""Edges by blocks: the targets of one modality with all of their sources, far fewer than all pairs of nodes.

Between two modalities every node has an edge to every other, so their matrix is full; within one, a node has edges to
itself and its neighbours, which are three additional columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .relations import Relations

NEVER = -1e30
"""Added to the score of a pair without an edge."""


@dataclass(frozen=True)
class Full:
    """Adjacent sources: ``nodes`` of the graph in ``columns`` of the block.

    ``masks`` (relations, targets, sources) is 1 where an edge has one of ``relations``.
    """

    nodes: slice
    columns: slice
    relations: Tuple[int, ...]
    masks: Tensor


@dataclass(frozen=True)
class Near:
    """The source at distance ``offset`` from its target, in one column."""

    offset: int
    column: int
    relation: int


@dataclass(frozen=True)
class Block:
    """``targets`` of a graph by ``width`` columns, in the order of their sources."""

    targets: slice
    full: Tuple[Full, ...]
    near: Tuple[Near, ...]
    width: int


@dataclass(frozen=True)
class Alive:
    """``penalty`` (targets, width) of a block's scores, 0 for an edge and NEVER for none.

    ``reached`` (targets, 1) is 0 for a target without edges; None if there is no such target.
    """

    penalty: Tensor
    reached: Optional[Tensor]

    @classmethod
    def of(cls, edges: NDArray[np.bool_]) -> Alive:
        """From a mask of the edges."""
        penalty = np.where(edges, np.float32(0), np.float32(NEVER))
        reached = edges.any(1, keepdims=True)
        return cls(torch.from_numpy(penalty), None if reached.all() else torch.from_numpy(reached.astype(np.float32)))


@dataclass(frozen=True)
class BlockEdges:
    """Blocks of every graph, and which of their entries are edges; ``size`` nodes per graph, padding included."""

    blocks: Tuple[Tuple[Block, ...], ...]
    alive: Tuple[Tuple[Alive, ...], ...]
    counts: Tuple[int, ...]
    size: int

    def left(self, alive: Sequence[Sequence[Alive]], counts: Tuple[int, ...]) -> BlockEdges:
        """The same blocks with fewer edges."""
        return replace(self, alive=tuple(map(tuple, alive)), counts=counts)

    def matrix(self, values: Sequence[Sequence[Tensor]], nothing: float) -> Tensor:
        """Values (…, targets, width) of every block as matrices (B, …, N, N), ``nothing`` where there is no edge."""
        first = next((value for graph in values for value in graph), torch.zeros(0, 0))
        found = first.new_full((len(self.blocks), *first.shape[:-2], self.size, self.size), nothing)
        for graph, (blocks, alive) in enumerate(zip(self.blocks, self.alive)):
            for block, state, value in zip(blocks, alive, values[graph]):
                target, column = (state.penalty == 0).nonzero(as_tuple=True)
                source = _sources(block)[target, column]
                found[graph][..., target + block.targets.start, source] = value[..., target, column]
        return found

    def relations(self) -> Tensor:
        """Relations (B, N, N) int8, target and source; -1 where there is no edge."""
        return self.matrix([[_relations(block) for block in blocks] for blocks in self.blocks], -1)


def block_edges(matrices: Sequence[Relations], lengths: Sequence[Sequence[int]], size: int) -> BlockEdges:
    """Matrices of relations of graphs with ``lengths`` nodes of each modality, by blocks."""
    blocks, alive = [], []
    for matrix, row in zip(matrices, lengths):
        pairs = [_block(matrix, row, place) for place in range(len(row)) if row[place]]
        blocks.append(tuple(block for block, _ in pairs))
        alive.append(tuple(Alive.of(edges) for _, edges in pairs))
    counts = tuple(int((matrix >= 0).sum()) for matrix in matrices)
    return BlockEdges(tuple(blocks), tuple(alive), counts, size)


def _block(matrix: Relations, lengths: Sequence[int], place: int) -> Tuple[Block, NDArray[np.bool_]]:
    ends = list(accumulate(lengths, initial=0))
    targets = slice(ends[place], ends[place + 1])
    rows = matrix[targets]
    full: List[Full] = []
    near: List[Near] = []
    edges: List[NDArray[np.bool_]] = []
    width = 0
    for other, length in enumerate(lengths):
        nodes = slice(ends[other], ends[other + 1])
        inside = rows[:, nodes]
        if other == place and is_chain(inside):
            near += [Near(offset, width + 1 + offset, _only(inside.diagonal(offset))) for offset in (-1, 0, 1)]
            edges.append(_band(inside))
            width += 3
        elif length:
            relations = tuple(np.flatnonzero(np.bincount(inside.ravel() + 1, minlength=1)[1:]).tolist())
            masks = np.stack([inside == relation for relation in relations]).astype(np.float32)
            full.append(Full(nodes, slice(width, width + length), relations, torch.from_numpy(masks)))
            edges.append(inside >= 0)
            width += length
    return Block(targets, tuple(full), tuple(near), width), np.concatenate(edges, axis=1)


def is_chain(inside: Relations) -> bool:
    """Whether nodes of a modality have edges only to their neighbours."""
    return len(inside) > 3 and bool(inside[0, 2] < 0)


def _only(diagonal: Relations) -> int:
    return int(diagonal[0])


def _band(inside: Relations) -> NDArray[np.bool_]:
    """Which of (previous, itself, next) have an edge to a node."""
    edges = np.ones((len(inside), 3), dtype=bool)
    edges[0, 0] = edges[-1, 2] = False
    return edges


def _sources(block: Block) -> Tensor:
    """Source of every entry (targets, width)."""
    targets = torch.arange(block.targets.start, block.targets.stop)
    sources = torch.zeros(len(targets), block.width, dtype=torch.int64)
    for part in block.full:
        sources[:, part.columns] = torch.arange(part.nodes.start, part.nodes.stop)
    for near in block.near:
        sources[:, near.column] = targets + near.offset
    return sources


def _relations(block: Block) -> Tensor:
    """Relation of every entry (targets, width), edge or not."""
    found = torch.zeros(block.targets.stop - block.targets.start, block.width, dtype=torch.int8)
    for part in block.full:
        for relation, mask in zip(part.relations, part.masks):
            found[:, part.columns] += relation * mask.to(torch.int8)
    for near in block.near:
        found[:, near.column] = near.relation
    return found
