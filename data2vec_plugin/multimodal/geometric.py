"""MTAG's graphs as torch_geometric's `Data` and `HeteroData`, for further use; requires that package."""

from __future__ import annotations

from typing import Any, Sequence

import torch
from torch import Tensor

from .alignment import FUTURE, PAST, PRESENT
from .relations import MODALITIES, EdgeConfig, relation_matrix

TIME_NAMES = {PRESENT: "present", PAST: "past", FUTURE: "future"}


def as_data(x: Tensor, lengths: Sequence[int], config: EdgeConfig) -> Any:
    """One graph: node vectors (N, D), vision, text, then audio -> `Data` with `node_type`, `edge_index`, `edge_type`.

    Raises ValueError unless the number of nodes matches ``lengths``, and ImportError without torch_geometric.
    """
    types = _node_types(x, lengths)
    data = _geometric().data.Data(x=x, node_type=types)
    target, source, relation = _edges(lengths, config)
    data.edge_index, data.edge_type = torch.stack([source, target]), relation
    return data


def as_hetero_data(x: Tensor, lengths: Sequence[int], all_to_all: bool = False) -> Any:
    """The same with a node type for each modality, and edges such as ("vision", "past", "text")."""
    types = _node_types(x, lengths)
    data = _geometric().data.HeteroData()
    offsets = torch.tensor([0, *lengths]).cumsum(0)[:-1]
    for place, modality in enumerate(MODALITIES):
        data[modality].x = x[types == place]
    target, source, relation = _edges(lengths, EdgeConfig(type_aware=False, all_to_all=all_to_all))
    for sender, from_name in enumerate(MODALITIES):
        for receiver, to_name in enumerate(MODALITIES):
            for time, time_name in TIME_NAMES.items():
                found = (types[source] == sender) & (types[target] == receiver) & (relation == time)
                if found.any():
                    ends = (source[found] - offsets[sender], target[found] - offsets[receiver])
                    data[from_name, time_name, to_name].edge_index = torch.stack(ends)
    return data


def _node_types(x: Tensor, lengths: Sequence[int]) -> Tensor:
    if len(lengths) != len(MODALITIES) or sum(lengths) != len(x):
        raise ValueError(
            f"`lengths` are {list(lengths)} for {len(x)} nodes; expected those of {', '.join(MODALITIES)}, in sum"
        )
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(list(lengths)))


def _edges(lengths: Sequence[int], config: EdgeConfig) -> tuple[Tensor, Tensor, Tensor]:
    relations = torch.from_numpy(relation_matrix(lengths, config)).long()
    target, source = (relations >= 0).nonzero(as_tuple=True)
    return target, source, relations[target, source]


def _geometric() -> Any:
    try:
        import torch_geometric.data
    except ImportError as error:
        raise ImportError("this requires torch_geometric: pip install 'data2vec-fairseq[multimodal]'") from error
    return torch_geometric
