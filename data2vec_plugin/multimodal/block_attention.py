"""Attention over blocks of edges on a CPU, a few targets at a time, so that the working set stays in the cache."""

from __future__ import annotations

from typing import Any, Iterator, List, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .dropout import kept
from .edge_blocks import Alive, Block, BlockEdges

SLOPE = 0.2
"""Negative slope of the LeakyReLU of the scores."""
PART = 2**18
"""Scores per step: a megabyte for all heads in fp32."""


class BlockAttention(torch.autograd.Function):
    """The outputs of all nodes; the gradient is explicit, since autograd would store every intermediate step.

    Nodes (B, H, N, C), their scores as sources and as targets (B, H, R, N) -> (B, H, N, C). ``attention`` is filled
    with that of every graph's blocks, (H, targets, width), before dropout with probability ``drop``.
    """

    @staticmethod
    def forward(
        ctx: Any,
        nodes: Tensor,
        sources: Tensor,
        targets: Tensor,
        edges: BlockEdges,
        attention: List[List[Tensor]],
        drop: float,
    ) -> Tensor:
        """See the class."""
        mixed = torch.zeros_like(nodes)
        beside = F.pad(nodes, (0, 0, 1, 1)), F.pad(sources, (1, 1))
        found: List[Tensor] = []
        for graph, (blocks, alive) in enumerate(zip(edges.blocks, edges.alive)):
            attention.append([])
            for block, state in zip(blocks, alive):
                run = _Forward(block, state, beside[0][graph], beside[1][graph], targets[graph], drop)
                mixed[graph, :, block.targets] = run.mixed()
                attention[-1].append(run.attention)
                found += [run.scores, run.attention, run.used]
        ctx.save_for_backward(nodes, mixed, *found)
        ctx.blocks, ctx.relations, ctx.drop = edges.blocks, sources.size(2), drop
        return mixed

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Any, ...]:
        """Gradients of the nodes and of both scores."""
        nodes, mixed, *found = ctx.saved_tensors
        batch, heads, size, _ = nodes.shape
        places = [(graph, block) for graph, blocks in enumerate(ctx.blocks) for block in blocks]
        inner = (grad * mixed).sum(3, keepdim=True)
        grad = grad / (1 - ctx.drop)
        beside, to_nodes = F.pad(nodes, (0, 0, 1, 1)), F.pad(torch.zeros_like(nodes), (0, 0, 1, 1))
        to_sources = nodes.new_zeros(batch, heads, ctx.relations, size + 2)
        to_targets = nodes.new_zeros(batch, heads, ctx.relations, size)
        for (graph, block), scores, attention, used in zip(places, found[::3], found[1::3], found[2::3]):
            gradients = (to_nodes[graph], to_sources[graph], to_targets[graph])
            for rows, here in parts(block, heads):
                arriving = grad[graph, :, here]
                slopes = _to_weights(block, here, arriving, beside[graph]).mul_(used[:, rows])
                slopes.addcmul_(attention[:, rows], inner[graph, :, here], value=-1)
                slopes = torch.ops.aten.leaky_relu_backward(slopes, scores[:, rows], SLOPE, False)
                _pass_on(block, rows, here, used[:, rows], arriving, slopes, gradients)
        return to_nodes[:, :, 1:-1], to_sources[..., 1:-1], to_targets, None, None, None


class _Forward:
    """A block's scores, attention and sums; ``nodes`` and ``sources`` have one more node at either end."""

    def __init__(
        self, block: Block, alive: Alive, nodes: Tensor, sources: Tensor, targets: Tensor, drop: float
    ) -> None:
        self.block, self.alive, self.drop = block, alive, drop
        self.nodes, self.sources, self.targets = nodes, sources, targets
        shape = (nodes.size(0), block.targets.stop - block.targets.start, block.width)
        self.scores, self.attention = nodes.new_empty(shape), nodes.new_empty(shape)
        self.used = self.attention if drop == 0 else nodes.new_empty(shape)

    def mixed(self) -> Tensor:
        """The outputs of the targets, (H, targets, C)."""
        sums = []
        for rows, here in parts(self.block, self.nodes.size(0)):
            scores = self.scores[:, rows]
            self.score(scores, rows, here)
            weights = F.leaky_relu(scores, SLOPE).softmax(-1)
            if self.alive.reached is not None:
                weights.mul_(self.alive.reached[rows])
            self.attention[:, rows] = weights
            if self.drop:
                weights.mul_(kept(weights, self.drop))
                self.used[:, rows] = weights
            sums.append(_summed(self.block, here, weights, self.nodes))
        return torch.cat(sums, dim=1).div_(1 - self.drop)

    def score(self, scores: Tensor, rows: slice, here: slice) -> None:
        """Fill in the scores (H, n, width) of some targets."""
        for part in self.block.full:
            inside = scores[..., part.columns]
            for place, relation in enumerate(part.relations):
                every = self.targets[:, relation, here, None] + self.sources[:, relation, None, _padded(part.nodes)]
                mask = part.masks[place, rows].to(scores.dtype)
                if place == 0:
                    torch.mul(every, mask, out=inside)
                else:
                    inside.addcmul_(every, mask)
        for near in self.block.near:
            there = self.sources[:, near.relation, _padded(here, near.offset)]
            scores[..., near.column] = self.targets[:, near.relation, here] + there
        scores += self.alive.penalty[rows].to(scores.dtype)


def _summed(block: Block, here: slice, weights: Tensor, nodes: Tensor) -> Tensor:
    """Weights (H, n, width) of sources -> (H, n, C)."""
    summed = nodes.new_zeros(nodes.size(0), weights.size(1), nodes.size(2))
    for part in block.full:
        summed.baddbmm_(weights[..., part.columns], nodes[:, _padded(part.nodes)])
    for near in block.near:
        summed.addcmul_(weights[..., near.column, None], nodes[:, _padded(here, near.offset)])
    return summed


def _to_weights(block: Block, here: slice, arriving: Tensor, nodes: Tensor) -> Tensor:
    """Gradient of the weights (H, n, width) from that of the sums (H, n, C)."""
    found = nodes.new_empty(*arriving.shape[:2], block.width)
    for part in block.full:
        found[..., part.columns] = arriving @ nodes[:, _padded(part.nodes)].transpose(1, 2)
    for near in block.near:
        found[..., near.column] = (arriving * nodes[:, _padded(here, near.offset)]).sum(-1)
    return found


def _pass_on(
    block: Block,
    rows: slice,
    here: slice,
    weights: Tensor,
    arriving: Tensor,
    slopes: Tensor,
    gradients: Tuple[Tensor, Tensor, Tensor],
) -> None:
    """Add up the gradients of nodes, and of both their scores, from those of the sums and of the edges' scores."""
    to_nodes, to_sources, to_targets = gradients
    for part in block.full:
        to_nodes[:, _padded(part.nodes)].baddbmm_(weights[..., part.columns].transpose(1, 2), arriving)
        for place, relation in enumerate(part.relations):
            masked = slopes[..., part.columns] * part.masks[place, rows].to(slopes.dtype)
            to_targets[:, relation, here] += masked.sum(2)
            to_sources[:, relation, _padded(part.nodes)] += masked.sum(1)
    for near in block.near:
        there = _padded(here, near.offset)
        to_nodes[:, there].addcmul_(weights[..., near.column, None], arriving)
        to_targets[:, near.relation, here] += slopes[..., near.column]
        to_sources[:, near.relation, there] += slopes[..., near.column]


def _padded(nodes: slice, offset: int = 0) -> slice:
    """The same nodes, or those at distance ``offset``; there is one more node at either end."""
    return slice(nodes.start + 1 + offset, nodes.stop + 1 + offset)


def parts(block: Block, heads: int) -> Iterator[Tuple[slice, slice]]:
    """A few targets of a block at a time: their rows in it, and their nodes in the graph."""
    first, last = block.targets.start, block.targets.stop
    rows = max(PART // (heads * block.width), 1)
    for begin in range(first, last, rows):
        end = min(begin + rows, last)
        yield slice(begin - first, end - first), slice(begin, end)
