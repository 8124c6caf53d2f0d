"""The registered fine-tuning model for images: a linear layer on an encoder's class token or mean of patches."""

from typing import Any, Dict, MutableMapping, Optional

import torch
from fairseq.models import register_model
from omegaconf import OmegaConf, open_dict
from torch import Tensor, nn

from ..config_keys import errors_by_key
from ..core.positions.relative_positions import interpolated_table, square_grid
from ..core.update_rules import UpdateRule, check_layer_decay
from ..interop.fairseq import vision_v1
from ..interop.fairseq.vision_sizes import TABLE, vision_sizes
from ..interop.identify import MULTI, Identity
from .classification.image_classifier import ImageClassifier
from .data2vec_vision import image_update_rules
from .image_classification_config import CLASS_TOKEN, Data2VecImageClassificationConfig, check_values, mixing_config
from .multi.data2vec_multi import Data2VecMultiModel
from .multi.image_tuning import fit_sines, image_overrides, multi_rules
from .multi.multi_config import ImageKeys
from .starting.pretrained import (
    build_pretrained,
    keep_in_checkpoints,
    load_pretrained,
    plain,
    pretrained_section,
    read_pretrained,
    refuse_other,
)
from .vision_config import Data2VecVisionConfig

HEAD_SCALE = 1e-3
OVERRIDES = ("image_size", "drop_path", "attention_dropout", "checkpoint_activations")
"""Our keys that override those of the encoder if they are set."""


@register_model("data2vec_image_classification", dataclass=Data2VecImageClassificationConfig)
class Data2VecImageClassificationModel(ImageClassifier):
    """BEiT's classifier on a pre-trained image model, data2vec 1 or 2.0, with a norm after pooling."""

    def __init__(self, cfg: Data2VecImageClassificationConfig, model: Any) -> None:
        super().__init__()
        check_values(cfg)
        with errors_by_key({"layer_decay": "model.layer_decay"}):
            check_layer_decay(cfg.layer_decay)
        self.cfg = cfg
        self.mixing = mixing_config(cfg)
        self.model = model
        dim = model.config.transformer.dim
        self.fc_norm = nn.LayerNorm(dim, eps=model.config.transformer.norm_eps)
        self.head = nn.Linear(dim, cfg.num_classes)
        with torch.no_grad():  # the first predictions are nearly alike for all classes
            self.head.weight.mul_(HEAD_SCALE)
            self.head.bias.mul_(HEAD_SCALE)

    @classmethod
    def build_model(
        cls, cfg: Data2VecImageClassificationConfig, task: Any = None
    ) -> "Data2VecImageClassificationModel":
        """Build the encoder that the checkpoint describes, with its weights; raises ValueError if it is unsuitable."""
        weights: Optional[Dict[str, Any]] = None
        if cfg.pretrained_model_args is None:
            state, found = read_pretrained(cfg.model_path)
            section = section_of(cfg.model_path, state, found)
            keep_in_checkpoints(cfg, "pretrained_model_args", {"model": section})
            weights = None if cfg.no_pretrained_weights else dict(state["model"])
        model = build_pretrained(encoder_config(cfg), "image", task)
        if weights is not None:
            load_pretrained(model, weights, "image", fit_positions)
        return cls(cfg, model)

    def pooled(self, img: Tensor) -> Tensor:
        """Return one vector per image (B, C), by `model.pooling`."""
        if self.cfg.pooling == CLASS_TOKEN:
            return self.model.class_token(img)
        patches: Tensor = self.model.extract_features(img)["x"]
        if self.cfg.reference_compat:
            patches = patches[:, 1:]  # upstream drops the class token twice, so the first patch
        return patches.mean(1)

    def update_rules(self) -> Dict[str, UpdateRule]:
        """Learning rate by layer, weight decay of matrices only; `host/training/optimizer.py` applies them."""
        if isinstance(self.model, Data2VecMultiModel):
            return multi_rules(self, self.model, self.cfg.layer_decay)
        layers = len(self.model.encoder.transformer.layers)
        return image_update_rules(self.named_parameters(), layers, self.cfg.layer_decay, "model.")


def section_of(path: str, state: MutableMapping[str, Any], found: Identity) -> Dict[str, Any]:
    """Return the pre-trained model's configuration, or derive it from weights; raises ValueError for another model."""
    if found.kind == "weights" and isinstance(state.get("model"), dict):
        return section_of_weights(path, state["model"])
    refuse_other(path, found, "data2vec_vision")
    return pretrained_section(state)


def section_of_weights(path: str, weights: Dict[str, Any]) -> Dict[str, Any]:
    """Derive the configuration of weights that come without one, BEiT's; raises ValueError if that is impossible."""
    ours = dict(weights)
    vision_v1.from_upstream(ours)
    try:
        return vision_sizes(ours)
    except ValueError as error:
        raise ValueError(f"`model.model_path` is {path}: {error}") from error


def encoder_config(cfg: Data2VecImageClassificationConfig) -> Any:
    """Return the pre-trained model's configuration, overridden by our keys that are set."""
    pretrained = OmegaConf.create(plain(cfg.pretrained_model_args)["model"])
    given = {name: getattr(cfg, name) for name in OVERRIDES if getattr(cfg, name) is not None}
    multi = pretrained.get("_name") == MULTI
    with open_dict(pretrained):
        pretrained.update(image_overrides(pretrained, given) if multi else given)
    if cfg.image_size is not None:
        default = ImageKeys.patch_size if multi else Data2VecVisionConfig.patch_size
        section = pretrained.modalities.image if multi else pretrained
        check_size(cfg.image_size, section.get("patch_size") or default, cfg.model_path)
    return pretrained


def check_size(size: int, patch: int, path: str) -> None:
    """Raise ValueError if the pre-trained model's patches do not fill images of ``size`` pixels."""
    if size % patch:
        sizes = [near for near in (size // patch * patch, (size // patch + 1) * patch) if near]
        raise ValueError(
            f"`task.input_size` is {size}, which is not a multiple of the pre-trained model's patch size {patch} "
            f"(`model.model_path`, {path}); expected a multiple of {patch}, such as {' or '.join(map(str, sizes))}"
        )


def fit_positions(weights: MutableMapping[str, Any], model: Any) -> None:
    """Interpolate, in place, the tables of relative positions to the model's image size.

    data2vec 2.0's tables of sines are replaced by the model's own.
    """
    if isinstance(model, Data2VecMultiModel):
        fit_sines(weights, model)
        return
    for name in [name for name in weights if name.endswith(TABLE)]:
        weights[name] = interpolated_table(weights[name], square_grid(len(weights[name])), model.image.grid)
