"""One layer of MTAG and one training step, compared with torch_geometric's message passing; and memory."""

from typing import Any, Callable, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data2vec_plugin.multimodal.fusion import MTAG
from data2vec_plugin.multimodal.graph import SparseEdges, build_edges
from data2vec_plugin.multimodal.options import MTAGConfig
from data2vec_plugin.multimodal.relation_attention import SLOPE, RelationAttention
from data2vec_plugin.multimodal.relations import EdgeConfig, edge_count

from .timing import interleaved, show

DIM, HEADS = 64, 4
SIZES = {"7.5k": (58, 20, 41), "75k": (180, 40, 150), "465k": (500, 50, 375)}
"""Frames of vision, text and audio."""
MOSI = {"vision": (500, 20), "text": (50, 300), "audio": (375, 5)}
"""Padded lengths and channels of CMU-MOSI."""
CPU = torch.device("cpu")
FORMS = ("sparse", "dense", "blocks")


def geometric_layer(layer: RelationAttention) -> Any:
    """The same layer, with the same weights, as a torch_geometric module."""
    from torch_geometric.nn import MessagePassing
    from torch_geometric.utils import softmax

    class Layer(MessagePassing):
        def __init__(self) -> None:
            super().__init__(aggr="add", node_dim=0)
            self.layer = layer

        def forward(self, x: Tensor, types: Tensor, edges: SparseEdges) -> Tuple[Tensor, Tensor]:
            flat = self.layer.project(x, types).flatten(0, 1)
            by_head = flat.unflatten(-1, (HEADS, -1))
            index = torch.stack([edges.source, edges.target])
            at = ((edges.source, self.layer.att_l), (edges.target, self.layer.att_r))
            tables = [torch.einsum("nhc,rhc->nrh", by_head, vectors) for _, vectors in at]
            scores = sum(chosen(table, nodes, edges.relation) for table, (nodes, _) in zip(tables, at))
            attention = softmax(F.leaky_relu(scores, SLOPE), edges.target, num_nodes=len(flat))
            mixed = self.propagate(index, x=by_head, weights=self.layer.dropped(attention))
            return mixed.view_as(x) + self.layer.bias, attention

        def message(self, x_j: Tensor, weights: Tensor) -> Tensor:
            return x_j * weights.unsqueeze(-1)

    return Layer()


def chosen(table: Tensor, nodes: Tensor, relation: Tensor) -> Tensor:
    """Scores (E, H) of edges from a table (N, R, H)."""
    return table.flatten(0, 1).index_select(0, nodes * table.size(1) + relation)


def all_relations_layer(layer: RelationAttention, x: Tensor, types: Tensor, edges: SparseEdges) -> Tensor:
    """The layer with the scores of all relations kept for each edge, as published."""
    by_head = layer.project(x, types).flatten(0, 1).unflatten(-1, (HEADS, -1))
    every = torch.einsum("ehc,rhc->erh", by_head[edges.source], layer.att_l)
    every = every + torch.einsum("ehc,rhc->erh", by_head[edges.target], layer.att_r)
    every = F.leaky_relu(every, SLOPE)
    scores = every.gather(1, edges.relation[:, None, None].expand(-1, 1, HEADS)).squeeze(1)
    index = edges.target.unsqueeze(1).expand_as(scores)
    peaks = torch.full((len(by_head), HEADS), -torch.inf).scatter_reduce(0, index, scores.detach(), "amax")
    exponents = (scores - peaks[edges.target]).exp()
    attention = exponents / torch.zeros_like(peaks).index_add(0, edges.target, exponents)[edges.target]
    messages = by_head[edges.source] * attention.unsqueeze(-1)
    return torch.zeros_like(by_head).index_add(0, edges.target, messages).view_as(x) + layer.bias


def layer_works(lengths: Tuple[int, ...]) -> Dict[str, Callable[[], None]]:
    """Forward and backward of one layer in each form; raises RuntimeError if two of them differ."""
    torch.manual_seed(0)
    layer = RelationAttention(DIM, HEADS, 3, 27, dropout=0.0)
    x = torch.randn(1, sum(lengths), DIM, requires_grad=True)
    types = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths)).unsqueeze(0)
    edges = {form: build_edges([lengths], EdgeConfig(), form, CPU) for form in (*FORMS, "auto")}
    forms: Dict[str, Callable[[], Tensor]] = {
        "torch_geometric": lambda: geometric(x, types, edges["sparse"])[0],
        **{form: (lambda form=form: layer(x, types, edges[form])[0]) for form in edges},
    }
    geometric = geometric_layer(layer)
    results = [form() for form in forms.values()]
    worst = max(float((result - results[0]).detach().abs().max()) for result in results)
    if worst > 1e-5:
        raise RuntimeError(f"the forms differ by {worst}")
    return {name: (lambda form=form: form().square().sum().backward()) for name, form in forms.items()}


def peak_memory(lengths: Tuple[int, ...]) -> Dict[str, float]:
    """Peak memory (MB) that a forward and backward pass allocates in addition to what existed before."""
    layer = RelationAttention(DIM, HEADS, 3, 27, dropout=0.0)
    x = torch.randn(1, sum(lengths), DIM, requires_grad=True)
    types = torch.repeat_interleave(torch.arange(3), torch.tensor(lengths)).unsqueeze(0)
    edges = {form: build_edges([lengths], EdgeConfig(), form, CPU) for form in FORMS}
    works: Dict[str, Callable[[], Tensor]] = {
        "all 27 relations": lambda: all_relations_layer(layer, x, types, edges["sparse"]),
        **{form: (lambda form=form: layer(x, types, edges[form])[0]) for form in FORMS},
    }
    return {name: allocated(lambda work=work: work().square().sum().backward()) for name, work in works.items()}


def allocated(work: Callable[[], None]) -> float:
    """Peak of what torch allocates on the CPU during ``work``, in MB."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    now = most = 0
    for event in sorted(profiler.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            now += event.nbytes()
            most = max(most, now)
    return most / 1e6


def step_works(batch: int) -> Dict[str, Callable[[], None]]:
    """A training step of the published model on graphs of CMU-MOSI's padded size."""
    torch.manual_seed(0)
    inputs = {name: torch.randn(batch, *shape) for name, shape in MOSI.items()}
    dims = {name: shape[1] for name, shape in MOSI.items()}
    ours, theirs = MTAG(MTAGConfig(dims)), MTAG(MTAGConfig(dims, implementation="sparse"))
    theirs.load_state_dict(ours.state_dict())
    theirs.layers = torch.nn.ModuleList(geometric_layer(layer) for layer in theirs.layers)

    def step(model: MTAG) -> None:
        model.zero_grad()
        model(inputs).abs().sum().backward()

    return {"torch_geometric": lambda: step(theirs), "ours": lambda: step(ours)}


def main() -> None:
    """Print all results; requires torch_geometric."""
    for name, lengths in SIZES.items():
        title = f"layer, forward and backward, {edge_count(lengths):,} edges ({name})"
        show(title, interleaved(layer_works(lengths)), "torch_geometric")
    memory = peak_memory(SIZES["465k"])
    print("memory at 465k edges: " + ", ".join(f"{name} {value:,.0f} MB" for name, value in memory.items()))
    show("training step, 2 graphs of MOSI's size", interleaved(step_works(2), repeats=3, warm_up=1), "torch_geometric")
