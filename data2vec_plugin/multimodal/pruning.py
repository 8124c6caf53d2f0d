"""Dynamic edge pruning: of a layer's edges the next sees those that were attended to most (MTAG, section 3.4)."""

from __future__ import annotations

from typing import List, Sequence, Tuple

import torch
from torch import Tensor

from .graph import DenseEdges, Edges, SparseEdges
from .options import BATCH, RANDOM, PruneConfig


@torch.no_grad()
def prune(edges: Edges, attention: Tensor, config: PruneConfig) -> Edges:
    """The edges that stay, ⌊keep · E⌋ of every graph, or of the batch.

    ``attention`` is the mean over heads, (B, N, N) of dense edges, (E,) of sparse ones. Among equals the first stay, in
    the order of graph, target, source: both forms keep the same.
    """
    scores = torch.rand_like(attention) if config.kind == RANDOM else attention
    by_batch = config.scope == BATCH
    if isinstance(edges, DenseEdges):
        return _prune_dense(edges, scores, config.keep, by_batch)
    return _prune_sparse(edges, scores, config.keep, by_batch)


def _prune_dense(edges: DenseEdges, scores: Tensor, keep: float, by_batch: bool) -> DenseEdges:
    relations = edges.relations
    alive = relations >= 0
    ranked = scores.masked_fill(~alive, -1).view(1 if by_batch else len(edges.counts), -1)
    counts = kept_counts(edges.counts, keep, by_batch)
    kept = torch.stack([largest(row, count) for row, count in zip(ranked, counts)]).view_as(relations)
    # what is left of each graph is not asked, which would wait for the device; a batch counts as one graph from now on
    return DenseEdges(relations.masked_fill(~kept, -1), tuple(counts))


def _prune_sparse(edges: SparseEdges, scores: Tensor, keep: float, by_batch: bool) -> SparseEdges:
    groups = (sum(edges.counts),) if by_batch else edges.counts
    counts = kept_counts(groups, keep, by_batch)
    chosen: List[Tensor] = []
    begin = 0
    for size, count in zip(groups, counts):
        order = scores[begin : begin + size].argsort(descending=True, stable=True)
        chosen.append(begin + order[:count].sort().values)
        begin += size
    return edges.chosen(torch.cat(chosen), counts)


def kept_counts(counts: Sequence[int], keep: float, by_batch: bool) -> Tuple[int, ...]:
    """How many edges stay of each graph, or of all together."""
    return tuple(int(keep * count) for count in ([sum(counts)] if by_batch else counts))


def largest(scores: Tensor, count: int) -> Tensor:
    """Mask (n,) of the ``count`` largest scores (n,), the first of equal ones; nothing waits for the device."""
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    least = scores.kthvalue(scores.numel() - count + 1).values
    above, equal = scores > least, scores == least
    return above | (equal & (equal.cumsum(0, dtype=torch.int32) <= count - above.sum()))
