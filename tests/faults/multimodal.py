"""Faults of MTAG: where its release departs from its paper, or fails."""

from faults.fault import Fault

FUSION = "tests/multimodal/test_fusion.py"

MULTIMODAL = (
    Fault(  # the edges of a whole batch are ranked together, so that neighbours change what is predicted
        "M1",
        "PruneConfig",
        "scope: str = GRAPH",
        "scope: str = BATCH",
        (f"{FUSION}::test_a_sample_does_not_depend_on_its_batch",),
    ),
    Fault(  # random pruning keeps the first edges
        "M2",
        "pruning.ranks",
        "torch.rand_like(mean)",
        "torch.linspace(1, 0, mean.numel()).view_as(mean)",
        (f"{FUSION}::test_random_pruning_draws_in_training_and_leaves_evaluation_alone",),
    ),
    Fault(  # random pruning goes on in evaluation
        "M2b",
        "MTAG.pruned",
        "self.config.prune.kind == RANDOM and not self.training",
        "False",
        (f"{FUSION}::test_random_pruning_draws_in_training_and_leaves_evaluation_alone",),
    ),
    Fault(  # a squeeze too many: one head crashes
        "M3",
        "RelationAttention.forward",
        "self.project(x, types).unflatten(-1, (self.heads, -1))",
        "self.project(x, types).unflatten(-1, (self.heads, -1)).squeeze(2)",
        (f"{FUSION}::test_one_head_and_a_graph_of_one_edge",),
    ),
    Fault(  # the mean over the nodes of an empty graph is no number
        "M4",
        "MTAG.readout",
        "share.sum(1).clamp_min(1)",
        "share.sum(1)",
        (f"{FUSION}::test_an_empty_graph_gives_finite_numbers",),
    ),
    Fault(  # a last batch of one sample is skipped
        "M5",
        "MultimodalDataset.batch_by_size",
        "[np.array(batch, dtype=np.int64) for batch in batches]",
        "[np.array(batch, dtype=np.int64) for batch in batches if len(batch) > 1]",
        ("tests/data/multimodal/test_samples.py::test_batches_are_bounded_by_edges_and_leave_nobody_out",),
    ),
    Fault(  # nothing bounds the graphs of a batch, which grow with the product of lengths
        "M5b",
        "MultimodalDataset.batch_by_size",
        "self.max_edges and edges > self.max_edges",
        "False",
        ("tests/data/multimodal/test_samples.py::test_batches_are_bounded_by_edges_and_leave_nobody_out",),
    ),
    Fault(  # the scores of all 27 relations are kept for every edge, of a matrix
        "M6",
        "dense_attention",
        "F.pad(targets, (0, 1), value=never).gather(3, index)",
        "F.pad(targets, (0, 1), value=never).unsqueeze(3).repeat(1, 1, 1, index.size(3), 1)"
        ".gather(4, index.unsqueeze(4)).squeeze(4)",
        (f"{FUSION}::test_only_the_chosen_relations_scores_are_kept_for_an_edge",),
    ),
    Fault(  # the same, of a list
        "M6b",
        "sparse_attention",
        "scores.permute(0, 2, 3, 1).reshape(-1, heads).index_select(0, nodes * relations + edges.relation)",
        "scores.permute(0, 2, 3, 1).flatten(0, 1)[nodes]"
        ".gather(1, edges.relation.view(-1, 1, 1).expand(-1, 1, heads)).squeeze(1)",
        (f"{FUSION}::test_only_the_chosen_relations_scores_are_kept_for_an_edge",),
    ),
    Fault(  # an edge's relation follows from which of the two sequences is longer
        "M7",
        "EdgeConfig",
        "direction: str = MODALITY",
        "direction: str = LENGTH",
        (f"{FUSION}::test_relations_by_modality_do_not_follow_lengths",),
    ),
    Fault(  # an edge to itself keeps a node in the mean, of a matrix
        "M8",
        "tied_nodes",
        "(relations >= 0) & ~loops",
        "relations >= 0",
        (f"{FUSION}::test_isolated_nodes_leave_the_mean_exactly",),
    ),
    Fault(  # the same, of a list
        "M8b",
        "tied_nodes",
        "(edges.source != edges.target).to(torch.int32)",
        "torch.ones_like(edges.source, dtype=torch.int32)",
        (f"{FUSION}::test_isolated_nodes_leave_the_mean_exactly",),
    ),
    Fault(  # rows of zeros between frames go with the padding, and with them the place in time of what follows
        "M9",
        "from_pickle._frames",
        "features[found[0] : found[-1] + 1]",
        "features[found]",
        ("tests/data/multimodal/test_from_pickle.py::test_padding_goes_gaps_stay_and_minus_infinity_becomes_zero",),
    ),
    Fault(  # padding is kept, and counts in positions
        "M9b",
        "from_pickle._frames",
        "features if keep_padding else features[found[0] : found[-1] + 1]",
        "features",
        ("tests/data/multimodal/test_from_pickle.py::test_padding_goes_gaps_stay_and_minus_infinity_becomes_zero",),
    ),
    Fault(  # what leaves modalities out cannot be used
        "M10",
        "chosen_modalities",
        "[name for name in MODALITIES if name in chosen]",
        "list(MODALITIES)",
        ("tests/tasks/test_unaligned_multimodal.py::test_modalities_that_the_model_does_not_see_are_not_read",),
    ),
    Fault(  # metrics of a set are means over its batches
        "M11",
        "log_whole_set",
        "metrics.log_derived(name, _derived(scorer, name, digits))",
        '[metrics.log_scalar(name, scorer(log["predictions"], log["targets"])[name], len(log["targets"]))'
        " for log in logging_outputs]",
        ("tests/criterions/test_multimodal.py::test_sentiment_is_that_of_the_set_and_not_a_mean_over_batches",),
    ),
    Fault(  # the logged loss is the one that was divided by itself
        "M12",
        "MultimodalCriterion.forward",
        "mean.detach() * count",
        "followed.detach() * count",
        ("tests/criterions/test_multimodal.py::test_losses_and_their_norm",),
    ),
    Fault(  # blocks: a node of which all edges are pruned takes the mean of nodes that it has no edge to
        "M13",
        "_Forward.mixed",
        "weights.mul_(self.alive.reached[rows])",
        "None",
        (f"{FUSION}::test_a_node_that_pruning_cuts_off_becomes_the_bias",),
    ),
    Fault(  # blocks: the ends of a modality's chain are tied to the next modality's nodes, beside which they lie
        "M13b",
        "edge_blocks._band",
        "edges[0, 0] = edges[-1, 2] = False",
        "pass",
        (f"{FUSION}::test_blocks_are_the_matrices",),
    ),
    Fault(  # a loss that is compared with nobody's: recorded cases of training pass whatever the criterion does
        "M14",
        "inverse_weights",
        "torch.stack([positive, 1 - positive], dim=1)",
        "torch.stack([1 - positive, positive], dim=1)",
        ("tests/parity/test_mtag_training.py::test_every_option_gives_what_the_description_says",),
    ),
)
