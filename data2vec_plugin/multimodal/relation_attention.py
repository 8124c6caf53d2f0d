"""Relation-aware graph attention (MTAG, section 3.3), over matrices of relations or over lists of edges."""

from __future__ import annotations

import math
from typing import Any, List, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .block_attention import SLOPE, BlockAttention
from .dropout import dropped
from .edge_blocks import BlockEdges
from .graph import DenseEdges, Edges, SparseEdges

Attention = Union[Tensor, List[List[Tensor]]]
CHUNK = 2**16
"""Edges whose messages are in memory at the same time."""


class RelationAttention(nn.Module):
    """One layer: every node becomes the attention-weighted mean of its neighbours, over all relations.

    Each head and relation has a vector for the source (``att_l``) and one for the target (``att_r``); their scores,
    after LeakyReLU, go through one softmax over all edges into a node. Nodes of a type share a projection. A node
    without edges becomes the bias.
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

    def forward(self, x: Tensor, types: Tensor, edges: Edges) -> Tuple[Tensor, Attention]:
        """Nodes (B, N, D) of ``types`` (B, N) -> their outputs, and the attention before dropout.

        The attention is (B, H, N, N), target and source, or (E, H) for sparse edges, or (H, targets, width) for every
        graph's blocks; its values without an edge are undefined.
        """
        by_head = self.project(x, types).unflatten(-1, (self.heads, -1))
        if isinstance(edges, BlockEdges):
            return self.by_blocks(by_head, edges)
        sources = torch.einsum("bnhc,rhc->bhnr", by_head, self.att_l)
        targets = torch.einsum("bnhc,rhc->bhnr", by_head, self.att_r)
        if isinstance(edges, DenseEdges):
            attention = dense_attention(sources, targets, edges)
            mixed = (self.dropped(attention) @ by_head.transpose(1, 2)).transpose(1, 2).flatten(2)
            mixed = mixed.masked_fill((edges.relations < 0).all(2).unsqueeze(-1), 0)
        else:
            attention = sparse_attention(sources, targets, edges)
            flat = by_head.flatten(0, 1)
            mixed = WeightedSum.apply(self.dropped(attention), flat, edges.source, edges.target).view_as(x)
        return mixed + self.bias, attention

    def by_blocks(self, by_head: Tensor, edges: BlockEdges) -> Tuple[Tensor, Attention]:
        """Outputs of nodes (B, N, H, C), and the attention, over blocks."""
        sources = torch.einsum("bnhc,rhc->bhrn", by_head, self.att_l)
        targets = torch.einsum("bnhc,rhc->bhrn", by_head, self.att_r)
        attention: List[List[Tensor]] = []
        drop = self.dropout if self.training else 0.0
        nodes = by_head.transpose(1, 2).contiguous()
        mixed = BlockAttention.apply(nodes, sources, targets, edges, attention, drop)
        return mixed.transpose(1, 2).flatten(2) + self.bias, attention

    def project(self, x: Tensor, types: Tensor) -> Tensor:
        """Each node multiplied by the matrix of its type, (B, N, D)."""
        every = torch.matmul(x.unsqueeze(0), self.lin.unsqueeze(1))  # (types, B, N, D)
        index = types.unsqueeze(0).unsqueeze(-1).expand(1, *x.shape)
        return every.gather(0, index).squeeze(0)

    def dropped(self, attention: Tensor) -> Tensor:
        """Attention after dropout."""
        return dropped(attention, self.dropout) if self.training and self.dropout else attention


def dense_attention(sources: Tensor, targets: Tensor, edges: DenseEdges) -> Tensor:
    """Scores of nodes as sources and as targets, (B, H, N, R) each -> attention (B, H, N, N).

    An additional relation, with a softmax of zero, represents missing edges; the attention of a node without edges is
    uniform over all nodes.
    """
    relations = sources.size(3)
    index = edges.relations.remainder(relations + 1).long().unsqueeze(1).expand(-1, sources.size(1), -1, -1)
    never = torch.finfo(sources.dtype).min
    at_target = F.pad(targets, (0, 1), value=never).gather(3, index)
    at_source = F.pad(sources, (0, 1)).gather(3, index.transpose(2, 3)).transpose(2, 3)
    return F.leaky_relu_(at_target.add_(at_source), SLOPE).softmax(-1)


def sparse_attention(sources: Tensor, targets: Tensor, edges: SparseEdges) -> Tensor:
    """Scores of nodes as sources and as targets, (B, H, N, R) each -> attention (E, H)."""
    relations, heads = sources.size(3), sources.size(1)
    at_source, at_target = (
        scores.permute(0, 2, 3, 1).reshape(-1, heads).index_select(0, nodes * relations + edges.relation)
        for scores, nodes in ((sources, edges.source), (targets, edges.target))
    )
    scores = F.leaky_relu(at_source + at_target, SLOPE)
    nodes = sources.size(0) * sources.size(2)
    index = edges.target.unsqueeze(1).expand_as(scores)
    peaks = scores.new_full((nodes, heads), -math.inf).scatter_reduce(0, index, scores.detach(), "amax")
    exponents = (scores - peaks.index_select(0, edges.target)).exp()
    totals = exponents.new_zeros(nodes, heads).index_add(0, edges.target, exponents)
    return exponents / totals.index_select(0, edges.target)


class WeightedSum(torch.autograd.Function):
    """Messages of edges summed at their targets, in parts: all at once would be (E, D)."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, nodes: Tensor, source: Tensor, target: Tensor) -> Tensor:
        """Weights (E, H), nodes (M, H, C) -> (M, H, C)."""
        ctx.save_for_backward(weights, nodes, source, target)
        sums = torch.zeros_like(nodes)
        for part in _parts(len(source)):
            sums.index_add_(0, target[part], weights[part].unsqueeze(-1) * nodes.index_select(0, source[part]))
        return sums

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, Tensor, None, None]:
        weights, nodes, source, target = ctx.saved_tensors
        to_weights, to_nodes = torch.empty_like(weights), torch.zeros_like(nodes)
        for part in _parts(len(source)):
            arriving = grad.index_select(0, target[part])
            to_weights[part] = (arriving * nodes.index_select(0, source[part])).sum(-1)
            to_nodes.index_add_(0, source[part], weights[part].unsqueeze(-1) * arriving)
        return to_weights, to_nodes, None, None


def _parts(edges: int) -> list[slice]:
    return [slice(begin, begin + CHUNK) for begin in range(0, edges, CHUNK)]
