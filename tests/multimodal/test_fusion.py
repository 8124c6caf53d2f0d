"""The method: both forms alike in value and gradient, batches without influence, pruning, empty graphs, bad edges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict

import numpy as np
import pytest
import torch
from torch import Tensor

from data2vec_plugin.multimodal.dropout import dropped
from data2vec_plugin.multimodal.fusion import MTAG, Trace
from data2vec_plugin.multimodal.graph import are_blocks_cheaper, build_edges, given_edges, is_dense_cheaper
from data2vec_plugin.multimodal.options import MTAGConfig, PruneConfig
from data2vec_plugin.multimodal.pruning import largest
from data2vec_plugin.multimodal.relation_attention import RelationAttention
from data2vec_plugin.multimodal.relations import EdgeConfig, edge_count, relation_matrix

DIMS = {"vision": 4, "text": 6, "audio": 3}
SMALL = MTAGConfig(DIMS, dim=16, layers=3)
CPU = torch.device("cpu")
FORMS = ("dense", "sparse", "blocks")


def model(**settings: Any) -> MTAG:
    torch.manual_seed(0)
    return MTAG(replace(SMALL, **settings)).eval()


def batch(*lengths: Any) -> Dict[str, Tensor]:
    """Features of graphs with so many frames of vision, text and audio, padded behind with zeros."""
    rng = np.random.default_rng(len(lengths))
    longest = np.max(lengths, axis=0)
    found = {}
    for place, (name, channels) in enumerate(DIMS.items()):
        rows = np.zeros((len(lengths), longest[place], channels), dtype=np.float32)
        for row, counts in enumerate(lengths):
            rows[row, : counts[place]] = rng.normal(size=(counts[place], channels))
        found[name] = torch.from_numpy(rows)
    return found


def cut(inputs: Dict[str, Tensor], row: int) -> Dict[str, Tensor]:
    return {name: x[row : row + 1] for name, x in inputs.items()}


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1e-12)).item()


@pytest.mark.parametrize("prune_type", ["topk", "none"])
def test_all_forms_have_the_same_values_and_gradients(prune_type: str) -> None:
    inputs = batch((7, 3, 5), (2, 6, 0), (1, 1, 1))
    gradients, outputs = {}, {}
    for form in FORMS:
        made = model(implementation=form, prune=PruneConfig(prune_type), residual=True, activation="gelu")
        outputs[form] = made(inputs)
        outputs[form].square().sum().backward()
        gradients[form] = {name: weights.grad for name, weights in made.named_parameters()}
    for form in ("dense", "blocks"):
        assert relative(outputs[form], outputs["sparse"]) < 2e-6
        for name, gradient in gradients[form].items():
            assert relative(gradient, gradients["sparse"][name]) < 1e-4, (form, name)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_are_those_of_finite_differences(form: str) -> None:
    torch.manual_seed(1)
    layer = RelationAttention(8, 2, 3, 27, dropout=0.0).double()
    edges = build_edges([(3, 2, 2)], EdgeConfig(), form, CPU)
    types = torch.tensor([[0, 0, 0, 1, 1, 2, 2]])
    x = torch.randn(1, 7, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda nodes: layer(nodes, types, edges)[0], (x,))


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_does_not_depend_on_its_batch(form: str) -> None:
    """The published code ranks the edges of all graphs of a batch together, so that batch mates change predictions."""
    inputs = batch((9, 3, 5), (2, 6, 4), (5, 0, 2))
    made = model(implementation=form)
    together = made(inputs)
    for row in range(3):
        assert relative(made(cut(inputs, row)), together[row : row + 1]) < 1e-5
    by_batch = model(implementation=form, prune=PruneConfig(scope="batch", keep=0.5))
    alone = torch.cat([by_batch(cut(inputs, row)) for row in range(3)])
    assert relative(by_batch(inputs), alone) > 1e-4


def test_padding_behind_changes_nothing() -> None:
    inputs = batch((6, 3, 5))
    padded = {name: torch.nn.functional.pad(x, (0, 0, 0, 4)) for name, x in inputs.items()}
    assert relative(model()(padded), model()(inputs)) < 1e-6


@pytest.mark.parametrize("use", [{"use_ffn": True}, {"use_conv1d": True}, {"use_positions": False}])
def test_encoders_do_not_see_the_padding_of_a_batch(use: Dict[str, bool]) -> None:
    inputs = batch((6, 3, 5), (2, 4, 1))
    made = model(**use)
    assert relative(made(cut(inputs, 1)), made(inputs)[1:]) < 1e-5


def test_one_head_and_a_graph_of_one_edge() -> None:
    made = model(heads=1)
    assert made(batch((7, 3, 5))).shape == (1, 1)
    assert torch.isfinite(made(batch((1, 0, 0)))).all()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("remove_isolated", [False, True])
def test_an_empty_graph_gives_finite_numbers(form: str, remove_isolated: bool) -> None:
    made = model(implementation=form, remove_isolated=remove_isolated).train()
    outputs = made(batch((0, 0, 0), (1, 0, 0), (3, 2, 1)))
    outputs.sum().backward()
    assert torch.isfinite(outputs).all()
    assert all(torch.isfinite(weights.grad).all() for weights in made.parameters())


@pytest.mark.parametrize("form", FORMS)
def test_a_node_without_edges_becomes_the_bias(form: str) -> None:
    layer = RelationAttention(8, 2, 3, 27, dropout=0.0)
    torch.nn.init.normal_(layer.bias)
    edges = build_edges([(2, 0, 0), (1, 1, 1)], EdgeConfig(), form, CPU)
    mixed, _ = layer(torch.randn(2, 3, 8), torch.zeros(2, 3, dtype=torch.long), edges)
    assert torch.equal(mixed[0, 2], layer.bias)


@pytest.mark.parametrize("form", FORMS)
def test_a_node_that_pruning_cuts_off_becomes_the_bias(form: str) -> None:
    made = model(implementation=form, prune=PruneConfig(keep=0.15), layers=3)
    torch.nn.init.normal_(made.layers[-1].bias)
    trace = Trace()
    made(batch((6, 3, 4), (5, 0, 6)), trace=trace)
    for graph, real in enumerate((13, 11)):
        relations = trace.edges[2].relations[graph] if form != "sparse" else dense_of(trace.edges[2], graph)
        cut_off = (relations[:real] < 0).all(1)
        assert 0 < int(cut_off.sum()) < real
        assert torch.equal(trace.nodes[-1][graph][:real][cut_off], made.layers[-1].bias.expand(int(cut_off.sum()), -1))


@pytest.mark.parametrize("all_to_all", [False, True])
@pytest.mark.parametrize("lengths", [(7, 3, 5), (1, 2, 3), (0, 4, 1), (5, 0, 0)])
def test_blocks_are_the_matrices(lengths: Any, all_to_all: bool) -> None:
    settings = EdgeConfig(all_to_all=all_to_all)
    every = [lengths, (4, 4, 4), (0, 0, 0)]
    blocks, dense = (build_edges(every, settings, form, CPU) for form in ("blocks", "dense"))
    assert torch.equal(blocks.relations(), dense.relations)
    assert blocks.counts == dense.counts


@pytest.mark.parametrize("form", FORMS)
def test_isolated_nodes_leave_the_mean_exactly(form: str) -> None:
    made = model(implementation=form, remove_isolated=True, prune=PruneConfig(keep=0.2), layers=2)
    trace = Trace()
    made(batch((6, 3, 4)), trace=trace)
    relations = trace.edges[-1].relations[0] if form != "sparse" else dense_of(trace.edges[-1])
    off = (relations >= 0) & ~torch.eye(13, dtype=torch.bool)
    tied = off.any(0) | off.any(1)
    assert 0 < int(tied.sum()) < 13
    assert relative(trace.readout[0], trace.nodes[-1][0][tied].mean(0)) < 1e-6


def dense_of(edges: Any, graph: int = 0) -> Tensor:
    relations = torch.full((edges.size, edges.size), -1)
    here = edges.target // edges.size == graph
    relations[edges.target[here] % edges.size, edges.source[here] % edges.size] = edges.relation[here]
    return relations


@pytest.mark.parametrize("form", FORMS)
def test_random_pruning_draws_in_training_and_leaves_evaluation_alone(form: str) -> None:
    """The published code keeps the first edges of the list, in evaluation too."""
    made = model(implementation=form, prune=PruneConfig("random", 0.5), input_dropout=0.0, attention_dropout=0.0)
    inputs = batch((7, 3, 5), (4, 4, 4))
    assert torch.equal(made(inputs), made(inputs))
    assert relative(made(inputs), model(implementation=form, prune=PruneConfig("none"))(inputs)) < 1e-6
    made.train()
    seen, total = set(), edge_count((7, 3, 5))
    for _ in range(12):
        trace = Trace()
        made(cut(inputs, 0), trace=trace)
        left = trace.edges[1]
        relations = left.relations[0] if form != "sparse" else dense_of(left)
        assert int((relations >= 0).sum()) == total // 2
        seen |= {tuple(place) for place in (relations >= 0).nonzero().tolist()}
    assert len(seen) > 0.99 * total


def test_the_largest_are_kept_and_the_first_of_equal_ones() -> None:
    scores = torch.tensor([0.5, 0.1, 0.5, 0.5, 0.9])
    assert largest(scores, 3).tolist() == [True, False, True, False, True]
    assert not largest(scores, 0).any()
    assert largest(scores, 5).all()


def test_relations_by_modality_do_not_follow_lengths() -> None:
    long, short = (relation_matrix(lengths, EdgeConfig()) for lengths in ((5, 2, 0), (2, 5, 0)))
    assert set(np.unique(long[5:, :5])) <= {9, 10, 11}
    assert set(np.unique(short[2:, :2])) <= {9, 10, 11}
    published = EdgeConfig(direction="length")
    assert set(np.unique(relation_matrix((5, 2, 0), published)[5:, :5])) <= {12, 13, 14}


def test_edges_are_as_many_as_counted() -> None:
    for lengths in ((5, 2, 3), (0, 4, 1), (1, 0, 0), (0, 0, 0)):
        for all_to_all in (False, True):
            matrix = relation_matrix(lengths, EdgeConfig(all_to_all=all_to_all))
            assert int((matrix >= 0).sum()) == edge_count(lengths, all_to_all)


def test_the_cheaper_form_is_chosen() -> None:
    assert is_dense_cheaper(1, 925, 465_269)
    assert not is_dense_cheaper(32, 925, 100_000)
    assert not is_dense_cheaper(1, 20_000, 200_000_000)
    assert are_blocks_cheaper((465_269,), CPU)
    assert not are_blocks_cheaper((465_269, 0) * 20 + (0,) * 500, CPU)
    assert not are_blocks_cheaper((465_269,), torch.device("cuda"))


def test_only_the_chosen_relations_scores_are_kept_for_an_edge() -> None:
    """The published code keeps those of all 27: 50 MB of this graph, in each layer."""
    layer = RelationAttention(16, 4, 3, 27, dropout=0.0)
    lengths = (180, 40, 150)
    x, types = torch.randn(1, 370, 16, requires_grad=True), torch.zeros(1, 370, dtype=torch.long)
    for form in FORMS:
        kept: Dict[int, int] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x: kept.update({x.untyped_storage().data_ptr(): x.untyped_storage().nbytes()}) or x,  # noqa: B023
            lambda x: x,
        ):
            layer(x, types, build_edges([lengths], EdgeConfig(), form, CPU))
        assert sum(kept.values()) < 0.3 * edge_count(lengths) * 27 * 4 * 4


def test_dropout_on_a_cpu_keeps_the_share_and_the_mean() -> None:
    torch.manual_seed(0)
    factors = dropped(torch.ones(1001, 101), 0.1)
    assert sorted(factors.unique().tolist()) == pytest.approx([0, 1 / 0.9])
    assert float(factors.mean()) == pytest.approx(1, abs=0.01)


def test_edges_out_of_range_are_refused() -> None:
    good = torch.tensor([[0, 1], [1, 2]])
    assert given_edges(good, torch.tensor([0, 26]), 3, 27).counts == (2,)
    with pytest.raises(ValueError, match=r"`edge_index` is 3 at \[1, 1\]; expected 0 to 2"):
        given_edges(torch.tensor([[0, 1], [1, 3]]), torch.tensor([0, 1]), 3, 27)
    with pytest.raises(ValueError, match=r"`relation` is 27 at \[1\]; expected 0 to 26"):
        given_edges(good, torch.tensor([0, 27]), 3, 27)
    with pytest.raises(ValueError, match=r"`edge_index` has shape \(2, 2\) for 3 relations"):
        given_edges(good, torch.tensor([0, 1, 2]), 3, 27)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 3}, "`heads` is 3"),
        ({"dims": {}}, "`dims` is {}"),
        ({"activation": "tanh"}, "`activation` is 'tanh'"),
        ({"implementation": "fast"}, "`layer_impl` is 'fast'"),
    ],
)
def test_settings_are_checked(settings: Dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **settings)
    for bad in ({"keep": 0.0}, {"kind": "some"}, {"scope": "set"}):
        with pytest.raises(ValueError, match="`prune_"):
            PruneConfig(**bad)
    with pytest.raises(ValueError, match="`edge_direction` is 'up'"):
        EdgeConfig(direction="up")
    with pytest.raises(ValueError, match="expected at least one of vision, text, audio"):
        model()({"smell": torch.zeros(1, 1, 1)})
