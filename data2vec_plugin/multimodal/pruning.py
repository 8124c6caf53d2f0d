"""Dynamic edge pruning: a layer passes on only its edges with the largest attention (MTAG, section 3.4)."""

from __future__ import annotations

from typing import Any, List, Sequence, Tuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .edge_blocks import Alive, BlockEdges
from .graph import DenseEdges, Edges, SparseEdges
from .options import BATCH, RANDOM, PruneConfig
from .relation_attention import Attention


@torch.no_grad()
def prune(edges: Edges, attention: Attention, config: PruneConfig) -> Edges:
    """The edges that are kept, ⌊keep · E⌋ of every graph, or of the batch, by their mean attention over heads.

    ``attention`` is the second output of a layer. Among equals the first are kept, in the order of graph, target,
    source: all forms keep the same.
    """
    by_batch, drawn = config.scope == BATCH, config.kind == RANDOM
    if isinstance(edges, BlockEdges):
        scores = [[ranks(block, 0, drawn) for block in blocks] for blocks in attention]
        return _prune_blocks(edges, scores, config.keep, by_batch)
    if not isinstance(attention, Tensor):
        raise TypeError("got the attention of blocks, but the edges are not blocks")
    found = ranks(attention, 1, drawn)
    if isinstance(edges, DenseEdges):
        return _prune_dense(edges, found, config.keep, by_batch)
    return _prune_sparse(edges, found, config.keep, by_batch)


def ranks(attention: Tensor, heads: int, drawn: bool) -> Tensor:
    """The scores that edges are ranked by, from an attention with ``heads`` as its axis of heads."""
    mean = attention.detach().mean(heads)
    return torch.rand_like(mean) if drawn else mean


def _prune_blocks(edges: BlockEdges, scores: List[List[Tensor]], keep: float, by_batch: bool) -> BlockEdges:
    ranked = [
        [score.add_(state.penalty) for score, state in zip(graph, alive)] for graph, alive in zip(scores, edges.alive)
    ]
    counts = kept_counts(edges.counts, keep, by_batch)
    groups = [[score for graph in ranked for score in graph]] if by_batch else ranked
    left = iter([state for group, count in zip(groups, counts) for state in _alive(group, count)])
    return edges.left([[next(left) for _ in graph] for graph in ranked], counts)


def _alive(scores: List[Tensor], count: int) -> List[Alive]:
    """The ``count`` edges with the largest of all scores (targets, width), block by block."""
    if not scores:
        return []
    kept = largest(torch.cat([score.flatten() for score in scores]), count).split([score.numel() for score in scores])
    return [Alive.of(mask.view_as(score).numpy()) for mask, score in zip(kept, scores)]


def _prune_dense(edges: DenseEdges, scores: Tensor, keep: float, by_batch: bool) -> DenseEdges:
    relations = edges.relations
    alive = relations >= 0
    ranked = scores.masked_fill(~alive, -1).view(1 if by_batch else len(edges.counts), -1)
    counts = kept_counts(edges.counts, keep, by_batch)
    kept = torch.stack([largest(row, count) for row, count in zip(ranked, counts)]).view_as(relations)
    # the number left in each graph would need a device synchronisation, so the batch counts as one graph from now on
    return DenseEdges(relations.masked_fill(~kept, -1), tuple(counts))


def _prune_sparse(edges: SparseEdges, scores: Tensor, keep: float, by_batch: bool) -> SparseEdges:
    groups = (sum(edges.counts),) if by_batch else edges.counts
    counts = kept_counts(groups, keep, by_batch)
    chosen: List[Tensor] = []
    begin = 0
    for size, count in zip(groups, counts):
        kept = largest(scores[begin : begin + size], count)
        # with a known number of indices there is no device synchronisation
        chosen.append(begin + kept.to(torch.int8).argsort(descending=True, stable=True)[:count])
        begin += size
    return edges.chosen(torch.cat(chosen), counts)


def kept_counts(counts: Sequence[int], keep: float, by_batch: bool) -> Tuple[int, ...]:
    """How many edges are kept of each graph, or of all together."""
    return tuple(int(keep * count) for count in ([sum(counts)] if by_batch else counts))


def largest(scores: Tensor, count: int) -> Tensor:
    """Mask (n,) of the ``count`` largest scores (n,), the first of equal ones; without device synchronisation."""
    if count == 0:
        return torch.zeros_like(scores, dtype=torch.bool)
    if scores.device.type == "cpu":
        return torch.from_numpy(_largest_on_cpu(scores.numpy(), count))
    least = scores.kthvalue(scores.numel() - count + 1).values
    above, equal = scores > least, scores == least
    return above | (equal & (equal.cumsum(0, dtype=torch.int32) <= count - above.sum()))


def _largest_on_cpu(scores: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """The same with NumPy, whose selection is several times as fast."""
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    kept: NDArray[np.bool_] = scores >= least
    spare = int(kept.sum()) - count
    if spare:
        equal = np.flatnonzero(scores == least)
        kept[equal[len(equal) - spare :]] = False
    return kept
