"""The registered model `mtag`: unaligned sequences of vision, text and audio, fused in one graph."""

from dataclasses import dataclass
from typing import Any, Dict, List, MutableMapping, Optional

from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor

from ..checkpoints.saved_file import read_checkpoint
from ..config_keys import key
from ..interop.identify import weights_of
from ..interop.released_mtag import from_release, is_released, sizes_of
from ..multimodal.fusion import MTAG, Frames
from ..multimodal.options import MTAGConfig, PruneConfig
from ..multimodal.relations import MODALITIES, EdgeConfig
from .starting.pretrained import keep_in_checkpoints


@dataclass
class MTAGModelConfig(FairseqDataclass):
    """Keys of `mtag`."""

    dim: int = key(64, "width of the nodes")
    heads: int = key(4, "attention heads")
    layers: int = key(6, "number of layers; the published ablation has 8")
    modalities: str = key("vision,text,audio", "modalities to use, separated by commas")
    vision_dim: int = key(0, "channels of vision features; 0: as in the data")
    text_dim: int = key(0, "channels of text features; 0: as in the data")
    audio_dim: int = key(0, "channels of audio features; 0: as in the data")
    outputs: int = key(0, "number of outputs; 0: as needed by the task's target")
    time_aware_edges: bool = key(True, "separate edge types for past, present and future")
    type_aware_edges: bool = key(True, "separate edge types for each pair of modalities")
    edge_direction: str = key("modality", "assign relations by modality (paper), or by length (published code)")
    all_to_all: bool = key(False, "edges between all frames of a modality, not only neighbours")
    prune_type: str = key("topk", "topk, random (only in training) or none")
    prune_keep: float = key(0.8, "share of the edges kept for the next layer")
    prune_scope: str = key("graph", "rank edges within each graph, or within the batch (published code)")
    use_positions: bool = key(True, "add sinusoidal positions")
    use_ffn: bool = key(False, "two layers instead of one before the graph (paper)")
    use_conv1d: bool = key(False, "apply a convolution to vision first")
    input_dropout: float = key(0.1, "dropout of the nodes")
    attention_dropout: float = key(0.1, "dropout of attention weights")
    residual: bool = key(False, "residual connections")
    activation: Optional[str] = key(None, "activation after each layer: lrelu, gelu or none")
    remove_isolated: bool = key(False, "exclude nodes without edges to other nodes from the mean")
    layer_impl: str = key("auto", "implementation of attention: dense, sparse or auto; the results are the same")
    model_path: Optional[str] = key(
        None, "weights to start from: a checkpoint of this plugin or a released MTAG checkpoint"
    )


def chosen_modalities(cfg: MTAGModelConfig) -> List[str]:
    """Return the names of the modalities; raises ValueError if one is unknown or repeated, or if there are none."""
    chosen = [name.strip() for name in cfg.modalities.split(",") if name.strip()]
    if not chosen or len(set(chosen)) < len(chosen) or set(chosen) - set(MODALITIES):
        raise ValueError(f"`model.modalities` is {cfg.modalities!r}; expected one or more of {','.join(MODALITIES)}")
    return [name for name in MODALITIES if name in chosen]


def mtag_config(cfg: MTAGModelConfig) -> MTAGConfig:
    """Return the method's settings; raises ValueError for a value out of range."""
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


@register_model("mtag", dataclass=MTAGModelConfig)
class MTAGModel(BaseFairseqModel):
    """fairseq's interface to :class:`data2vec_plugin.multimodal.fusion.MTAG`."""

    def __init__(self, cfg: MTAGModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.graph = MTAG(mtag_config(cfg))

    @classmethod
    def build_model(cls, cfg: MTAGModelConfig, task: Any = None) -> "MTAGModel":
        """Build the model; numbers of channels and outputs that are 0 come from the task, and are kept in checkpoints.

        Raises ValueError if the weights in ``model_path`` have other sizes.
        """
        weights = None if not cfg.model_path else read_weights(cfg.model_path)
        if not cfg.outputs:
            keep_in_checkpoints(cfg, "outputs", task.outputs)
        missing = [name for name in chosen_modalities(cfg) if not getattr(cfg, f"{name}_dim")]
        for name, channels in (task.channels(missing) if missing else {}).items():
            keep_in_checkpoints(cfg, f"{name}_dim", channels)
        model = cls(cfg)
        if weights is not None:
            check_sizes(cfg, weights)
            model.graph.load_state_dict(weights, strict=True)
            keep_in_checkpoints(cfg, "model_path", None)
        return model

    def forward(self, modalities: Dict[str, Tensor], frames: Optional[Frames] = None) -> Tensor:
        """Features (B, L, channels) by modality -> (B, outputs); see :class:`MTAG`."""
        outputs: Tensor = self.graph(modalities, frames)
        return outputs

    def upgrade_state_dict_named(self, state_dict: MutableMapping[str, Any], name: str) -> None:
        """Accept a released checkpoint's weights too."""
        prefix = f"{name}." if name else ""
        if is_released(state_dict, prefix):
            from_release(state_dict, prefix)
            for weight in [weight for weight in state_dict if weight.startswith(prefix)]:
                state_dict[f"{prefix}graph.{weight[len(prefix) :]}"] = state_dict.pop(weight)

    def max_positions(self) -> None:
        """No sample is too long."""


def read_weights(path: str) -> Dict[str, Any]:
    """Read weights of this plugin's or a released checkpoint, named as in :class:`MTAG`; raises ValueError if none."""
    try:
        weights = dict(weights_of(read_checkpoint(path)))
    except ValueError as error:
        raise ValueError(f"`model.model_path`: {error}") from error
    from_release(weights)
    weights = {name[len("graph.") :] if name.startswith("graph.") else name: value for name, value in weights.items()}
    if "layers.0.att_l" not in weights:
        raise ValueError(f"`model.model_path` is {path}, which does not hold MTAG weights")
    return weights


def check_sizes(cfg: MTAGModelConfig, weights: Dict[str, Any]) -> None:
    """Raise ValueError, which names every wrong key, if a configuration does not match the weights."""
    wrong = {name: value for name, value in sizes_of(weights).items() if getattr(cfg, name) != value}
    if wrong:
        required = ", ".join(f"`model.{name}={value}`" for name, value in wrong.items())
        raise ValueError(f"the weights in `model.model_path` require {required}; set these keys")


@register_model_architecture("mtag", "mtag_mosi")
def mtag_mosi(args: Any) -> None:
    """The published run on CMU-MOSI: 117,169 parameters."""
    for name in ("dim", "heads", "layers"):
        setattr(args, name, getattr(args, name, getattr(MTAGModelConfig, name)))


@register_model_architecture("mtag", "mtag_iemocap")
def mtag_iemocap(args: Any) -> None:
    """Seven layers, which give the paper's 0.14 M parameters on IEMOCAP's features; its settings are not known."""
    args.layers = getattr(args, "layers", 7)
    mtag_mosi(args)
