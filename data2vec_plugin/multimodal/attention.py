"""Relation-aware graph attention (MTAG, section 3.3), over matrices of relations or over lists of edges."""

from __future__ import annotations

import math
from typing import Any, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .graph import DenseEdges, Edges, SparseEdges

SLOPE = 0.2
CHUNK = 2**16
"""Edges whose messages are in memory at a time."""


class RelationAttention(nn.Module):
    """One layer: every node becomes the attended mean of its neighbours, whichever relation they stand in.

    Of each head and relation there is a vector for the source (``att_l``) and one for the target (``att_r``); what
    they score, by LeakyReLU, goes through one softmax over all edges into a node. Nodes of a type share a projection.
    A node without edges becomes the bias alone.
    """

    def __init__(self, dim: int, heads: int, types: int, relations: int, dropout: float) -> None:
        super().__init__()
        width = dim // heads
        self.heads, self.dropout = heads, dropout
        self.lin = nn.Parameter(torch.empty(types, dim, dim))
        self.att_l = nn.Parameter(torch.empty(relations, heads, width))
        self.att_r = nn.Parameter(torch.empty(relations, heads, width))
        self.bias = nn.Parameter(torch.zeros(dim))
        for weights in (self.lin, self.att_l, self.att_r):
            nn.init.uniform_(weights, -(bound := math.sqrt(6 / sum(weights.shape[-2:]))), bound)

    def forward(self, x: Tensor, types: Tensor, edges: Edges) -> Tuple[Tensor, Tensor]:
        """Nodes (B, N, D) of ``types`` (B, N) -> what they become, and the attention before dropout.

        The latter is (B, H, N, N), target and source, 0 where there is no edge, or (E, H) of sparse edges.
        """
        projected = self.project(x, types)
        by_head = projected.unflatten(-1, (self.heads, -1))
        scores = (torch.einsum("bnhc,rhc->bhnr", by_head, vectors) for vectors in (self.att_l, self.att_r))
        if isinstance(edges, DenseEdges):
            attention = dense_attention(*scores, edges)
            mixed = (self.dropped(attention) @ by_head.transpose(1, 2)).transpose(1, 2).flatten(2)
        else:
            attention = sparse_attention(*scores, edges)
            flat = by_head.flatten(0, 1)
            mixed = WeightedSum.apply(self.dropped(attention), flat, edges.source, edges.target).view_as(x)
        return mixed + self.bias, attention

    def project(self, x: Tensor, types: Tensor) -> Tensor:
        """Each node by the matrix of its type, (B, N, D)."""
        every = torch.matmul(x.unsqueeze(0), self.lin.unsqueeze(1))  # (types, B, N, D)
        index = types.unsqueeze(0).unsqueeze(-1).expand(1, *x.shape)
        return every.gather(0, index).squeeze(0)

    def dropped(self, attention: Tensor) -> Tensor:
        """Attention after dropout."""
        return F.dropout(attention, self.dropout, self.training)


def dense_attention(sources: Tensor, targets: Tensor, edges: DenseEdges) -> Tensor:
    """Scores of nodes as sources and as targets, (B, H, N, R) each -> attention (B, H, N, N)."""
    attention: Tensor = DenseSoftmax.apply(sources, targets, edges.relations)
    return attention


class DenseSoftmax(torch.autograd.Function):
    """LeakyReLU and softmax of gathered scores; of (B, H, N, N) only the result and a sign are kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, sources: Tensor, targets: Tensor, relations: Tensor) -> Tensor:
        index, absent = _index(relations, sources.size(1)), (relations < 0).unsqueeze(1)
        scores = targets.gather(3, index)
        scores += sources.gather(3, index.transpose(2, 3)).transpose(2, 3)
        negative = scores < 0
        F.leaky_relu_(scores, SLOPE)
        scores.masked_fill_(absent, torch.finfo(scores.dtype).min)
        attention = scores.softmax(-1).masked_fill_(absent, 0)
        ctx.save_for_backward(attention, negative, relations)
        ctx.relations = sources.size(3)
        return attention

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, Tensor, None]:
        attention, negative, relations = ctx.saved_tensors
        grad = grad * attention
        grad -= attention * grad.sum(-1, keepdim=True)
        grad = torch.where(negative, grad * SLOPE, grad)
        index = _index(relations, grad.size(1))
        empty = grad.new_zeros(*grad.shape[:3], ctx.relations)
        to_targets = empty.scatter_add(3, index, grad)
        to_sources = empty.scatter_add(3, index.transpose(2, 3), grad.transpose(2, 3))
        return to_sources, to_targets, None


def _index(relations: Tensor, heads: int) -> Tensor:
    """Relations as an index of every head's scores, (B, H, N, N); missing edges get one that does not count."""
    return relations.clamp_min(0).long().unsqueeze(1).expand(-1, heads, -1, -1)


def sparse_attention(sources: Tensor, targets: Tensor, edges: SparseEdges) -> Tensor:
    """Scores of nodes as sources and as targets, (B, H, N, R) each -> attention (E, H)."""
    relations, heads = sources.size(3), sources.size(1)
    at_source, at_target = (
        scores.permute(0, 2, 3, 1).reshape(-1, heads)[nodes * relations + edges.relation]
        for scores, nodes in ((sources, edges.source), (targets, edges.target))
    )
    scores = F.leaky_relu(at_source + at_target, SLOPE)
    nodes = sources.size(0) * sources.size(2)
    index = edges.target.unsqueeze(1).expand_as(scores)
    peaks = scores.new_full((nodes, heads), -math.inf).scatter_reduce(0, index, scores.detach(), "amax")
    exponents = (scores - peaks[edges.target]).exp()
    totals = exponents.new_zeros(nodes, heads).index_add(0, edges.target, exponents)
    return exponents / totals[edges.target]


class WeightedSum(torch.autograd.Function):
    """Messages of edges summed at their targets, a part of them at a time: all would be (E, D)."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, nodes: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Weights (E, H), nodes (M, H, C) -> (M, H, C)."""
        ctx.save_for_backward(weights, nodes, source, target)
        sums = torch.zeros_like(nodes)
        for part in _parts(len(source)):
            sums.index_add_(0, target[part], weights[part].unsqueeze(-1) * nodes[source[part]])
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, Tensor, None, None]:
        weights, nodes, source, target = ctx.saved_tensors
        to_weights, to_nodes = torch.empty_like(weights), torch.zeros_like(nodes)
        for part in _parts(len(source)):
            arriving = grad[target[part]]
            to_weights[part] = (arriving * nodes[source[part]]).sum(-1)
            to_nodes.index_add_(0, source[part], weights[part].unsqueeze(-1) * arriving)
        return to_weights, to_nodes, None, None


def _parts(edges: int) -> "list[slice]":
    return [slice(begin, begin + CHUNK) for begin in range(0, edges, CHUNK)]
