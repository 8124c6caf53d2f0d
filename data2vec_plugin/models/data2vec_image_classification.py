"""The registered fine-tuning model for images: a pre-trained encoder, its patches' mean or class token, a layer."""

from typing import Any, Dict, MutableMapping, Optional, Union

import torch
import torch.nn.functional as F
from fairseq import models
from fairseq.models import BaseFairseqModel, register_model
from omegaconf import OmegaConf, open_dict
from torch import Tensor, nn

from ..config_keys import told_by_key
from ..core.positions.relative_positions import interpolated_table, square_grid
from ..core.update_rules import UpdateRule, check_layer_decay
from ..interop.fairseq import vision_v1
from ..interop.fairseq.vision_sizes import TABLE, vision_sizes
from ..interop.identify import Identity
from .classification.mixing import draw_mixture, smoothed, soft_cross_entropy
from .data2vec_vision import Data2VecVisionModel, image_update_rules
from .image_classification_config import CLASS_TOKEN, Data2VecImageClassificationConfig, check_values, mixing_config
from .starting.pretrained import keep_in_checkpoints, plain, pretrained_section, read_pretrained, refuse_other
from .vision_config import Data2VecVisionConfig

HEAD_SCALE = 1e-3
TOP = 5
OVERRIDES = ("image_size", "drop_path", "attention_dropout", "checkpoint_activations")
"""Our keys that stand for one of the encoder's, where they are given."""


@register_model("data2vec_image_classification", dataclass=Data2VecImageClassificationConfig)
class Data2VecImageClassificationModel(BaseFairseqModel):
    """BEiT's classifier on a pre-trained ``data2vec_vision``: no final norm, but one of what is pooled."""

    def __init__(self, cfg: Data2VecImageClassificationConfig, model: Data2VecVisionModel) -> None:
        super().__init__()
        check_values(cfg)
        with told_by_key({"layer_decay": "model.layer_decay"}):
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
        """Build the encoder that the checkpoint describes, with its weights; raises ValueError if it is of no use."""
        weights: Optional[Dict[str, Any]] = None
        if cfg.pretrained_model_args is None:
            state, found = read_pretrained(cfg.model_path)
            section = section_of(cfg.model_path, state, found)
            keep_in_checkpoints(cfg, "pretrained_model_args", {"model": section})
            weights = None if cfg.no_pretrained_weights else dict(state["model"])
        model = models.build_model(encoder_config(cfg), task, from_checkpoint=True)
        model.remove_pretraining_modules()
        if weights is not None:
            model.upgrade_state_dict(weights)
            fit_positions(weights, model)
            model.load_state_dict(weights, strict=True)
        return cls(cfg, model)

    def forward(self, img: Tensor, label: Optional[Tensor] = None) -> Union[Tensor, Dict[str, Any]]:
        """Images (B, channels, size, size) -> logits (B, classes), or with ``label`` (B,) int64 upstream's results.

        ``losses`` holds the cross-entropy of every image (B,), in training of mixed images with mixed and smoothed
        labels; in evaluation, ``correct`` and ``correct_top5`` count those whose label comes first, or among five.
        """
        if label is None:
            return self.logits(img)
        if self.training:
            return result(img, self.training_loss(img, label))
        logits = self.logits(img)
        evaluated = result(img, F.cross_entropy(logits.float(), label, reduction="none"))
        return {**evaluated, **counts(logits, label)}

    def logits(self, img: Tensor) -> Tensor:
        """Images -> scores of the classes (B, classes), from the normalised mean of all patches or class token."""
        scores: Tensor = self.head(self.fc_norm(self.pooled(img)))
        return scores

    def pooled(self, img: Tensor) -> Tensor:
        """One vector an image (B, C), as `model.pooling` says."""
        if self.cfg.pooling == CLASS_TOKEN:
            return self.model.class_token(img)
        patches: Tensor = self.model.extract_features(img)["x"]
        if self.cfg.reference_compat:
            patches = patches[:, 1:]  # upstream takes the first for a class token, which was gone already
        return patches.mean(1)

    def training_loss(self, img: Tensor, label: Tensor) -> Tensor:
        """Cross-entropy (B,) of a mixed batch."""
        height, width = img.shape[-2:]
        mixture = draw_mixture(self.mixing, (height, width))
        targets = smoothed(label, self.cfg.num_classes, self.cfg.label_smoothing)
        return soft_cross_entropy(self.logits(mixture.images(img)), mixture.targets(targets))

    def update_rules(self) -> Dict[str, UpdateRule]:
        """Learning rate by layer, no weight decay but on matrices; `host/training/optimizer.py` applies it."""
        layers = len(self.model.encoder.transformer.layers)
        return image_update_rules(self.named_parameters(), layers, self.cfg.layer_decay, "model.")

    def max_positions(self) -> None:
        """No image is too long."""


def result(img: Tensor, loss: Tensor) -> Dict[str, Any]:
    """What a criterion reads; the loss has upstream's name.

    It is there by itself too: torch's old backward hooks, fairseq's search for NaN, want a tensor in a dict.
    """
    return {"losses": {"regression": loss}, "sample_size": img.size(0), "loss": loss.detach()}


@torch.no_grad()
def counts(logits: Tensor, label: Tensor) -> Dict[str, Tensor]:
    """How many images of a batch have their label first (``correct``), and among the first five; each ()."""
    best = logits.topk(min(TOP, logits.size(-1)), dim=-1).indices
    hits = best == label.unsqueeze(-1)
    return {"correct": hits[:, 0].sum(), "correct_top5": hits.sum()}


def section_of(path: str, state: MutableMapping[str, Any], found: Identity) -> Dict[str, Any]:
    """The pre-trained model's configuration, or what its weights say; raises ValueError for another model's."""
    if found.kind == "weights" and isinstance(state.get("model"), dict):
        return section_of_weights(path, state["model"])
    refuse_other(path, found, "data2vec_vision")
    return pretrained_section(state)


def section_of_weights(path: str, weights: Dict[str, Any]) -> Dict[str, Any]:
    """A configuration for weights that come without one, BEiT's."""
    ours = dict(weights)
    vision_v1.from_upstream(ours)
    try:
        return vision_sizes(ours)
    except ValueError as error:
        raise ValueError(f"`model.model_path` is {path}: {error}") from error


def encoder_config(cfg: Data2VecImageClassificationConfig) -> Any:
    """The pre-trained model's configuration with our keys in place of its own, where they are given."""
    pretrained = OmegaConf.create(plain(cfg.pretrained_model_args)["model"])
    with open_dict(pretrained):
        for name in OVERRIDES:
            value = getattr(cfg, name)
            if value is not None:
                pretrained[name] = value
    if cfg.image_size is not None:
        check_size(cfg.image_size, pretrained.get("patch_size") or Data2VecVisionConfig.patch_size, cfg.model_path)
    return pretrained


def check_size(size: int, patch: int, path: str) -> None:
    """Raise ValueError if the pre-trained model's patches do not fill images of ``size`` pixels."""
    if size % patch:
        sizes = [near for near in (size // patch * patch, (size // patch + 1) * patch) if near]
        raise ValueError(
            f"`task.input_size` is {size}, which patches of {patch} do not fill, as the pre-trained model has them "
            f"(`model.model_path`, {path}); expected a multiple of {patch}, such as {' or '.join(map(str, sizes))}"
        )


def fit_positions(weights: MutableMapping[str, Any], model: Data2VecVisionModel) -> None:
    """Interpolate, in place, the tables of relative positions to the size of images that the model is for."""
    for name in [name for name in weights if name.endswith(TABLE)]:
        weights[name] = interpolated_table(weights[name], square_grid(len(weights[name])), model.image.grid)
