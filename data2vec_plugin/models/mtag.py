"""The registered model `mtag`: unaligned sequences of vision, text and audio, fused in one graph."""

from typing import Any, Dict, MutableMapping, Optional

from fairseq.models import BaseFairseqModel, register_model, register_model_architecture
from torch import Tensor

from ..checkpoints.saved_file import read_checkpoint
from ..interop.identify import weights_of
from ..interop.released_mtag import from_release, is_released, sizes_of
from ..multimodal.fusion import MTAG, Frames
from .mtag_config import MTAGModelConfig, chosen_modalities, mtag_config
from .starting.pretrained import keep_in_checkpoints


@register_model("mtag", dataclass=MTAGModelConfig)
class MTAGModel(BaseFairseqModel):
    """MTAG with fairseq's interface; what it computes is :class:`data2vec_plugin.multimodal.fusion.MTAG`'s."""

    def __init__(self, cfg: MTAGModelConfig) -> None:
        super().__init__()
        self.cfg = cfg
        self.graph = MTAG(mtag_config(cfg))

    @classmethod
    def build_model(cls, cfg: MTAGModelConfig, task: Any = None) -> "MTAGModel":
        """Build for the task's channels and targets where the configuration names none, and keep them in checkpoints.

        Raises ValueError for weights of ``model_path`` that are not a model's of these sizes.
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
        """Take a released checkpoint's weights, too."""
        prefix = f"{name}." if name else ""
        if is_released(state_dict, prefix):
            from_release(state_dict, prefix)
            for key in [key for key in state_dict if key.startswith(prefix)]:
                state_dict[f"{prefix}graph.{key[len(prefix) :]}"] = state_dict.pop(key)

    def max_positions(self) -> None:
        """No sample is too long."""


def read_weights(path: str) -> Dict[str, Any]:
    """Weights of a checkpoint, ours or a released one, under the names of :class:`MTAG`; raises ValueError if none."""
    try:
        weights = dict(weights_of(read_checkpoint(path)))
    except ValueError as error:
        raise ValueError(f"`model.model_path`: {error}") from error
    from_release(weights)
    weights = {name[len("graph.") :] if name.startswith("graph.") else name: value for name, value in weights.items()}
    if "layers.0.att_l" not in weights:
        raise ValueError(f"`model.model_path` is {path}, which holds no weights of MTAG")
    return weights


def check_sizes(cfg: MTAGModelConfig, weights: Dict[str, Any]) -> None:
    """Raise ValueError, naming every key, where a configuration is not that of the weights."""
    wrong = {name: value for name, value in sizes_of(weights).items() if getattr(cfg, name) != value}
    if wrong:
        told = ", ".join(f"`model.{name}={value}`" for name, value in wrong.items())
        raise ValueError(f"the weights of `model.model_path` want {told}; set these keys so")


@register_model_architecture("mtag", "mtag_mosi")
def mtag_mosi(args: Any) -> None:
    """The published run on CMU-MOSI: 117,169 parameters."""
    for name in ("dim", "heads", "layers"):
        setattr(args, name, getattr(args, name, getattr(MTAGModelConfig, name)))


@register_model_architecture("mtag", "mtag_iemocap")
def mtag_iemocap(args: Any) -> None:
    """Seven layers, which make the paper's 0.14 M parameters of IEMOCAP's features; its own settings are not known."""
    args.layers = getattr(args, "layers", 7)
    mtag_mosi(args)
