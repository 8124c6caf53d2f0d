"""Plain settings of MTAG; the registered dataclass is converted to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional

from .relations import MODALITIES, EdgeConfig

TOPK, RANDOM, NONE = PRUNINGS = ("topk", "random", "none")
GRAPH, BATCH = SCOPES = ("graph", "batch")
AUTO, DENSE, SPARSE, BLOCKS = IMPLEMENTATIONS = ("auto", "dense", "sparse", "blocks")
ACTIVATIONS = ("lrelu", "gelu")


@dataclass(frozen=True)
class PruneConfig:
    """Which edges are kept for the next layer: a share ``keep`` of them.

    ``kind`` topk keeps those with the largest mean attention; random keeps random ones, in training only; none keeps
    all. ``scope`` graph ranks the edges of each graph separately; batch ranks those of the whole batch together, as the
    published code does, so that the prediction for a sample depends on the others in its batch.
    """

    kind: str = TOPK
    keep: float = 0.8
    scope: str = GRAPH

    def __post_init__(self) -> None:
        check_choice("prune_type", self.kind, PRUNINGS)
        check_choice("prune_scope", self.scope, SCOPES)
        if not 0 < self.keep <= 1:
            raise ValueError(f"`prune_keep` is {self.keep}; expected a share above 0, and at most 1 (all edges)")


@dataclass(frozen=True)
class MTAGConfig:
    """Sizes and options; the defaults are those of the published run (see the recipe `mtag_mosi`).

    ``dims`` holds the channels of each used modality; frames of others are ignored.
    """

    dims: Mapping[str, int]
    outputs: int = 1
    dim: int = 64
    heads: int = 4
    layers: int = 6
    edges: EdgeConfig = field(default_factory=EdgeConfig)
    prune: PruneConfig = field(default_factory=PruneConfig)
    use_positions: bool = True
    use_ffn: bool = False
    use_conv1d: bool = False
    input_dropout: float = 0.1
    attention_dropout: float = 0.1
    residual: bool = False
    activation: Optional[str] = None
    remove_isolated: bool = False
    implementation: str = AUTO

    def __post_init__(self) -> None:
        if not self.dims or set(self.dims) - set(MODALITIES) or min(self.dims.values()) < 1:
            raise ValueError(f"`dims` is {dict(self.dims)}; expected channels of some of {', '.join(MODALITIES)}")
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"`heads` is {self.heads}; expected a divisor of `dim`, which is {self.dim}")
        if self.layers < 1 or self.dim < 4:
            raise ValueError(f"`layers` is {self.layers} and `dim` {self.dim}; expected at least 1 and 4")
        if self.activation is not None:
            check_choice("activation", self.activation, ACTIVATIONS)
        check_choice("layer_impl", self.implementation, IMPLEMENTATIONS)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is not one of the choices."""
    if value not in choices:
        raise ValueError(f"`{name}` is {value!r}; expected one of {', '.join(choices)}")
