"""Configuration of ``mtag``; defaults are those of the published run on CMU-MOSI."""

from dataclasses import dataclass
from typing import Dict, Optional

from fairseq.dataclass import FairseqDataclass

from ..config_keys import key
from ..multimodal.options import MTAGConfig, PruneConfig
from ..multimodal.relations import MODALITIES, EdgeConfig


@dataclass
class MTAGModelConfig(FairseqDataclass):
    """Keys of `mtag`."""

    dim: int = key(64, "width of the nodes")
    heads: int = key(4, "attention heads")
    layers: int = key(6, "layers; the published ablation has 8")
    modalities: str = key("vision,text,audio", "what nodes are made of, apart by commas; others are left out")
    vision_dim: int = key(0, "channels of vision; 0: as in the data")
    text_dim: int = key(0, "channels of text; 0: as in the data")
    audio_dim: int = key(0, "channels of audio; 0: as in the data")
    outputs: int = key(0, "predicted numbers; 0: as many as the task's target needs")
    time_aware_edges: bool = key(True, "tell past, present and future apart")
    type_aware_edges: bool = key(True, "tell apart which modality speaks to which")
    edge_direction: str = key("modality", "relations go by modality (paper), or by length (published code)")
    all_to_all: bool = key(False, "edges between all frames of a modality, not only neighbours")
    prune_type: str = key("topk", "topk, random (in training alone) or none")
    prune_keep: float = key(0.8, "share of the edges that the next layer sees")
    prune_scope: str = key("graph", "rank the edges of each graph, or of the whole batch (published code)")
    use_positions: bool = key(True, "add sinusoidal positions")
    use_ffn: bool = key(False, "two layers instead of one before the graph (paper)")
    use_conv1d: bool = key(False, "a convolution over vision first")
    input_dropout: float = key(0.1, "dropout of the nodes")
    attention_dropout: float = key(0.1, "dropout of attention weights")
    residual: bool = key(False, "add what comes into a layer to what it gives")
    activation: Optional[str] = key(None, "after each layer: lrelu, gelu or none")
    remove_isolated: bool = key(False, "leave nodes without edges to others out of the mean")
    layer_impl: str = key("auto", "dense, sparse or auto: the same numbers at another price")
    model_path: Optional[str] = key(None, "weights to start from: ours, or a released MTAG checkpoint")


def chosen_modalities(cfg: MTAGModelConfig) -> "list[str]":
    """Names of the modalities; raises ValueError for one that is not known, twice there, or for none."""
    chosen = [name.strip() for name in cfg.modalities.split(",") if name.strip()]
    if not chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(MODALITIES):
        raise ValueError(f"`model.modalities` is {cfg.modalities!r}; expected some of {','.join(MODALITIES)}")
    return [name for name in MODALITIES if name in chosen]


def mtag_config(cfg: MTAGModelConfig) -> MTAGConfig:
    """The method's settings; raises ValueError for a value that is out of range."""
    dims: Dict[str, int] = {name: getattr(cfg, f"{name}_dim") for name in chosen_modalities(cfg)}
    return MTAGConfig(
        dims=dims,
        outputs=cfg.outputs,
        dim=cfg.dim,
        heads=cfg.heads,
        layers=cfg.layers,
        edges=EdgeConfig(cfg.time_aware_edges, cfg.type_aware_edges, cfg.edge_direction, cfg.all_to_all),
        prune=PruneConfig(cfg.prune_type, cfg.prune_keep, cfg.prune_scope),
        use_positions=cfg.use_positions,
        use_ffn=cfg.use_ffn,
        use_conv1d=cfg.use_conv1d,
        input_dropout=cfg.input_dropout,
        attention_dropout=cfg.attention_dropout,
        residual=cfg.residual,
        activation=cfg.activation,
        remove_isolated=cfg.remove_isolated,
        implementation=cfg.layer_impl,
    )
