"""MTAG once more, from its description alone, in float64, a node at a time; and cases written with it.

It shares nothing with the package: what it makes is there to try the comparison itself, on options, losses, gradients
and training steps that the recorded cases of this repository lack.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Dict, List, Tuple

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

ORDER = ("vision", "text", "audio")
PAIRS = ((0, 1, 9), (0, 2, 15), (1, 2, 21))
PRESENT, PAST, FUTURE = 0, 1, 2
POSITIVES = (954, 338, 690, 735)
Edge = Tuple[int, int, int]
Tensors = Dict[str, Tensor]

CONFIG: Dict[str, Any] = {
    "graph_conv_in_dim": 16,
    "graph_conv_out_dim": 16,
    "gat_conv_num_heads": 4,
    "num_gat_layers": 3,
    "use_prune": 1,
    "use_pe": 1,
    "use_ffn": 0,
    "use_conv1d": 0,
    "gnn_dropout": 0.0,
    "prune_keep_p": 0.8,
    "prune_type": "topk",
    "time_aware_edges": 1,
    "type_aware_edges": 1,
    "use_all_to_all": 0,
    "remove_isolated": 0,
    "graph_activation": None,
    "use_residual": 0,
    "dims": {"vision": 4, "text": 6, "audio": 3},
    "label_dim": 1,
}


def window(k: int, n: int, m: int) -> Tuple[int, int]:
    """Start and width of the window of frame ``k`` of ``n`` in a sequence of ``m``."""
    if n == 1:
        return 0, m
    if n == m:
        return min(k, m - 2), 2
    if m // n == 1:
        return (2 * k if k < m - n else k + m - n - 1), 2
    stride = max((m // (n - 1) + 1) // 2, 2)
    return k * stride, m - (n - 1) * stride


def edges_of(lengths: List[int], config: Dict[str, Any]) -> List[Edge]:
    """Source, target and relation, as released: relations between two modalities go by length."""
    starts = [sum(lengths[:place]) for place in range(3)]
    found: List[Edge] = []
    for place, length in enumerate(lengths):
        for i in range(length):
            for j in range(length):
                time = PRESENT if i == j else FUTURE if i < j else PAST
                if config["use_all_to_all"] or abs(i - j) <= 1:
                    found.append((starts[place] + i, starts[place] + j, 3 * place + time))
    for first, second, base in PAIRS:
        short, long = (first, second) if lengths[first] <= lengths[second] else (second, first)
        for k in range(lengths[short]):
            begin, width = window(k, lengths[short], lengths[long])
            for p in range(lengths[long]):
                time = PAST if p < begin else PRESENT if p < begin + width else FUTURE
                back = {PRESENT: PRESENT, PAST: FUTURE, FUTURE: PAST}[time]
                a, b = starts[short] + k, starts[long] + p
                found += [(a, b, base + time), (b, a, base + 3 + back)]
    return [(s, t, told(r, config)) for s, t, r in found]


def told(relation: int, config: Dict[str, Any]) -> int:
    """The relation as far as time and modality are told apart."""
    if config["time_aware_edges"] and config["type_aware_edges"]:
        return relation
    return relation % 3 if config["time_aware_edges"] else relation // 3 if config["type_aware_edges"] else 0


def nodes_of(inputs: Tensors, row: int, w: Tensors, config: Dict[str, Any]) -> Tuple[Tensor, List[int]]:
    """Node vectors of one graph, and how many there are of each modality."""
    found, lengths = [], []
    for name in ORDER:
        frames = inputs[name][row].double() if name in inputs else torch.zeros(0, 1, dtype=torch.float64)
        kept = [place for place in range(len(frames)) if bool(frames[place].abs().sum() > 0)]
        lengths.append(len(kept))
        for place in kept:
            x = F.linear(frames[place], w[f"{name}_fc.0.weight"], w[f"{name}_fc.0.bias"])
            if config["use_ffn"]:
                x = F.linear(x.relu(), w[f"{name}_fc.2.weight"], w[f"{name}_fc.2.bias"]).relu()
            if config["use_pe"]:
                angles = [place * 10_000 ** (-(c - c % 2) / len(x)) for c in range(len(x))]
                waves = [math.cos(angle) if c % 2 else math.sin(angle) for c, angle in enumerate(angles)]
                x = x + torch.tensor(waves, dtype=torch.float64)
            found.append(x)
    return torch.stack(found), lengths


def layer(x: Tensor, types: List[int], edges: List[Edge], w: Tensors, place: int) -> Tuple[Tensor, Tensor]:
    """One layer, and the attention (E, H)."""
    at_source, at_target = w[f"layers.{place}.att_l"], w[f"layers.{place}.att_r"]
    heads = at_source.size(1)
    moved = torch.stack([row @ w[f"layers.{place}.lin"][kind] for row, kind in zip(x, types)]).unflatten(1, (heads, -1))
    source, target, relation = torch.tensor(edges).T
    scores = (at_source[relation] * moved[source] + at_target[relation] * moved[target]).sum(2)
    rising = F.leaky_relu(scores, 0.2).exp()
    weights = torch.zeros_like(rising)
    sums = [torch.zeros_like(moved[0])] * len(x)
    for node in sorted(set(target.tolist())):
        into = (target == node).nonzero()[:, 0]
        shares = rising[into] / rising[into].sum(0)
        sums[node] = (shares.unsqueeze(2) * moved[source[into]]).sum(0)
        weights = weights.index_put((into,), shares)
    return torch.stack(sums).flatten(1) + w[f"layers.{place}.bias"], weights


def logits(inputs: Tensors, w: Tensors, config: Dict[str, Any], by_graph: bool = False) -> Tuple[Tensor, float]:
    """Predictions (B, outputs), and the smallest gap between an edge that stays and one that goes."""
    batch = len(next(iter(inputs.values())))
    graphs = [nodes_of(inputs, row, w, config) for row in range(batch)]
    states = [x for x, _ in graphs]
    edges = [edges_of(lengths, config) for _, lengths in graphs]
    gap = 1.0
    for place in range(config["num_gat_layers"]):
        ranked = []
        for row, (_, lengths) in enumerate(graphs):
            types = [kind for kind, length in enumerate(lengths) for _ in range(length)]
            mixed, weights = layer(states[row], types, edges[row], w, place)
            mixed = states[row] + mixed if config["use_residual"] else mixed
            slope = {None: lambda y: y, "lrelu": lambda y: F.leaky_relu(y, 0.1), "gelu": F.gelu}
            states[row] = slope[config["graph_activation"]](mixed)
            ranked.append([(float(weight), row, e) for weight, e in zip(weights.mean(1).detach(), edges[row])])
        if config["use_prune"]:
            edges, least = pruned(ranked, config["prune_keep_p"], by_graph)
            gap = min(gap, least)
    hidden = torch.stack([x.mean(0) for x in states])
    for number in (0, 2, 4):
        hidden = F.linear(hidden, w[f"head.{number}.weight"], w[f"head.{number}.bias"])
        hidden = hidden.relu() if number < 4 else hidden
    return hidden, gap


def pruned(ranked: List[Any], keep: float, by_graph: bool) -> Tuple[List[List[Edge]], float]:
    """The edges of every graph that stay, and the gap at the cut."""
    left: List[List[Edge]] = [[] for _ in ranked]
    gap = 1.0
    for group in ranked if by_graph else [[entry for graph in ranked for entry in graph]]:
        order = sorted(group, key=lambda entry: -entry[0])
        count = int(keep * len(order))
        if 0 < count < len(order):
            gap = min(gap, order[count - 1][0] - order[count][0])
        for _, row, edge in order[:count]:
            left[row].append(edge)
    return left, gap


def losses_of(outputs: Tensor, labels: Tensor, config: Dict[str, Any]) -> Tensors:
    """The release's losses by name."""
    if config["label_dim"] == 1:
        difference = outputs[:, 0] - labels.double()
        quadratic = torch.where(difference.abs() < 1, difference**2 / 2, difference.abs() - 0.5)
        return {"smooth_l1": quadratic.mean(), "l1": difference.abs().mean(), "mse": (difference**2).mean()}
    chances = outputs.view(len(labels), 4, 2).log_softmax(2)
    chosen = -chances.gather(2, labels.unsqueeze(2)).squeeze(2)
    share = torch.tensor(POSITIVES, dtype=torch.float64) / 2717
    weight = torch.where(labels == 1, 1 - share, share)
    return {"ce": chosen.mean(), "inverse_ce": ((chosen * weight).sum(0) / weight.sum(0)).mean()}


def random_weights(config: Dict[str, Any], seed: int) -> Tensors:
    """Weights under the cases' names."""
    torch.manual_seed(seed)
    dim, heads = config["graph_conv_out_dim"], config["gat_conv_num_heads"]
    times, types = config["time_aware_edges"], config["type_aware_edges"]
    relations = (3 if times else 1) * (9 if types else 1)
    w: Tensors = {}
    for name, channels in config["dims"].items():
        for number, size in ((0, channels), (2, dim))[: 2 if config["use_ffn"] else 1]:
            w[f"{name}_fc.{number}.weight"], w[f"{name}_fc.{number}.bias"] = (
                torch.randn(dim, size) / size**0.5,
                torch.randn(dim),
            )
    for place in range(config["num_gat_layers"]):
        w[f"layers.{place}.lin"] = torch.randn(3, dim, dim) / dim**0.5
        for side in "lr":
            w[f"layers.{place}.att_{side}"] = torch.randn(relations, heads, dim // heads) / 2
        w[f"layers.{place}.bias"] = torch.randn(dim) / 4
    hidden = dim // 4
    for number, shape in ((0, (hidden, dim)), (2, (hidden, hidden)), (4, (config["label_dim"], hidden))):
        w[f"head.{number}.weight"], w[f"head.{number}.bias"] = torch.randn(shape) / 2, torch.randn(shape[0]) / 4
    return w


def random_inputs(config: Dict[str, Any]) -> Tensors:
    """Two samples: padding in front, behind and between, and one modality that the second lacks."""
    lengths = {"vision": 6, "text": 3, "audio": 5}
    found = {name: torch.randn(2, lengths[name], channels) for name, channels in config["dims"].items()}
    found["vision"][0, 2] = 0
    found["audio"][0, :2] = 0
    found["text"][1] = 0
    return found


def tried(config: Dict[str, Any], least: float) -> Tuple[Tensors, Tensors]:
    """Weights and inputs with a gap of ``least`` where edges are cut, so that rounding does not choose."""
    for seed in range(100):
        w, inputs = random_weights(config, seed), random_inputs(config)
        gaps = [logits(inputs, doubled(w), config, by_graph)[1] for by_graph in (False, True)]
        if min(gaps) > least:
            return w, inputs
    raise RuntimeError("no seed leaves a gap")


def doubled(w: Tensors) -> Tensors:
    """The same in float64, wanting gradients."""
    return {name: value.double().requires_grad_() for name, value in w.items()}


def train(
    inputs: Tensors, labels: Tensor, start: Tensors, config: Dict[str, Any], name: str
) -> Tuple[List[float], Tensors]:
    """Three steps of AdamW, written out, on a loss, which is divided by itself where the configuration says so."""
    w = doubled(start)
    moments = {key: (torch.zeros_like(value), torch.zeros_like(value)) for key, value in w.items()}
    taken = []
    for step in (1, 2, 3):
        loss = losses_of(logits(inputs, w, config)[0], labels, config)[name]
        taken.append(float(loss.detach()))
        if config.get("use_loss_norm"):
            loss = loss / loss.detach().abs()
        gradients = torch.autograd.grad(loss, list(w.values()), allow_unused=True)
        with torch.no_grad():
            for (key, value), gradient in zip(w.items(), gradients):
                first, second = moments[key]
                gradient = torch.zeros_like(value) if gradient is None else gradient
                first.mul_(0.9).add_(0.1 * gradient)
                second.mul_(0.999).add_(0.001 * gradient**2)
                value *= 1 - 1e-3 * 1e-2
                value -= 1e-3 * (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
    return taken, {key: value.detach().float() for key, value in w.items()}


def model_tensors(config: Dict[str, Any], least: float = 1e-4) -> Tensors:
    """Everything that a case of a model may hold: inputs, weights, logits, losses, gradients, three steps."""
    w, inputs = tried(config, least)
    torch.manual_seed(1)
    labels = torch.tensor([1.3, -0.4]) if config["label_dim"] == 1 else torch.randint(0, 2, (2, 4))
    wanted = doubled(w)
    outputs = logits(inputs, wanted, config)[0]
    found = {f"in.{name}": value for name, value in inputs.items()} | {f"w.{name}": value for name, value in w.items()}
    found |= {"in.labels": labels, "out.logits": outputs.float(), "out.logits_float64": outputs}
    found["out.logits_prune_scope_graph"] = logits(inputs, wanted, config, by_graph=True)[0].float()
    for name, loss in losses_of(outputs, labels, config).items():
        found[f"out.{name}"] = loss.float()
        gradients = torch.autograd.grad(loss, list(wanted.values()), retain_graph=True, allow_unused=True)
        for key, gradient in zip(w, gradients):
            if gradient is not None:
                found[f"out.{name}.grad.{key}"] = gradient.float()
        if name in ("mse", "inverse_ce"):
            taken, after = train(inputs, labels, w, config, name)
            run = f"{name}.adamw_lr1e-3"
            found[f"{run}.losses"] = torch.tensor(taken)
            found |= {f"{run}.w3.{key}": value for key, value in after.items()}
    return {key: value.detach().contiguous().clone() for key, value in found.items()}


def write_case(folder: Path, config: Dict[str, Any], tensors: Tensors) -> None:
    """A case's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(tensors, folder / "tensors.safetensors")
