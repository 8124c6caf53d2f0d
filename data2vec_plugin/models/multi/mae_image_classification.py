"""Upstream's fine-tuning model for images on data2vec 2.0, by its name, keys and names of weights."""

from typing import Any, Dict, Optional

import torch
import torch.nn.functional as F
from fairseq.models import register_model
from omegaconf import OmegaConf, open_dict
from torch import Tensor, nn

from ...config_keys import errors_by_key
from ...core.update_rules import UpdateRule, check_layer_decay
from ...interop.identify import MULTI, sections
from ..classification.image_classifier import ImageClassifier
from ..image_classification_config import check_values, mixing_config
from ..starting.pretrained import (
    build_pretrained,
    keep_in_checkpoints,
    load_pretrained,
    plain,
    pretrained_section,
    read_pretrained,
    refuse_other,
)
from .data2vec_multi import layer_scales
from .image_tuning import drop_path_rates, fit_sines, rules
from .mae_classification_config import MaeImageClassificationConfig, PredictionMode

SAME_NAME = (
    *("encoder_dropout", "post_mlp_drop", "attention_dropout", "activation_dropout", "dropout_input", "layerdrop"),
)
OF_PRENET = ("prenet_layerdrop", "prenet_dropout")
"""Keys that replace those of the encoder."""


@register_model("mae_image_classification", dataclass=MaeImageClassificationConfig)
class MaeImageClassificationModel(ImageClassifier):
    """A norm and a linear layer on the patches' mean, on the class token, or on patches weighted by probability."""

    def __init__(self, cfg: MaeImageClassificationConfig, model: Any) -> None:
        super().__init__()
        check_mae_values(cfg, model)
        self.cfg = cfg
        self.mixing = mixing_config(cfg)
        self.model = model
        if cfg.linear_classifier:
            model.requires_grad_(False)
        dim = model.config.transformer.dim
        self.fc_norm = nn.LayerNorm(dim, eps=1e-6) if cfg.use_fc_norm else None
        self.head = nn.Linear(dim, cfg.num_classes)
        nn.init.trunc_normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def build_model(cls, cfg: MaeImageClassificationConfig, task: Any = None) -> "MaeImageClassificationModel":
        """Build the encoder that the checkpoint describes, with its weights; raises ValueError if it is unsuitable."""
        weights: Optional[Dict[str, Any]] = None
        if cfg.pretrained_model_args is None:
            state, found = read_pretrained(cfg.model_path)
            refuse_other(cfg.model_path, found, MULTI, "image")
            args = {"model": pretrained_section(state), "task": plain(OmegaConf.create(sections(state)[1]))}
            keep_in_checkpoints(cfg, "pretrained_model_args", args)
            weights = None if cfg.no_pretrained_weights else dict(state["model"])
        model = build_pretrained(encoder_config(cfg), "image")
        if weights is not None:
            load_pretrained(model, without_alibi(weights) if cfg.remove_alibi else weights, "image", fit_sines)
        return cls(cfg, model)

    def pooled(self, img: Tensor) -> Tensor:
        """Return one vector per image (B, C), by `model.prediction_mode`."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.cfg.linear_classifier):
            mode = mode_of(self.cfg)
            if mode is PredictionMode.CLS_TOKEN:
                token: Tensor = self.model.class_token(img)
                return token
            patches: Tensor = self.model.extract_features(img)["x"]
            return patches.mean(1) if mode is PredictionMode.MEAN_POOLING else lin_softmax(patches)

    def update_rules(self) -> Dict[str, UpdateRule]:
        """Learning rates of layers by their depth; matrices decay and, without `no_decay_blocks`, whole layers."""
        scales = layer_scales(self.model, self.cfg.layer_decay or 1.0)
        return rules(self, scales, (), blocks_decay=not self.cfg.no_decay_blocks)


def mode_of(cfg: Any) -> PredictionMode:
    """Return the mode, which may be given by its name."""
    mode = cfg.prediction_mode
    return mode if isinstance(mode, PredictionMode) else PredictionMode[str(getattr(mode, "name", mode))]


def lin_softmax(x: Tensor) -> Tensor:
    """Patches (B, T, C) -> (B, C), each value weighted by its own probability p: the logit of Σp² / Σp."""
    log_p = F.logsigmoid(x.float())
    pooled = (torch.logsumexp(2 * log_p, 1) - torch.logsumexp(log_p + 1e-6, 1)).clamp_max(0)
    logit = pooled - torch.log(-torch.expm1(pooled))
    return torch.nan_to_num(logit, nan=0.0, posinf=0.0, neginf=0.0).to(x.dtype)


def check_mae_values(cfg: Any, model: Any) -> None:
    """Raise ValueError for values that cannot train, and for a class token that the model lacks."""
    check_values(cfg)
    if cfg.layer_decay:
        with errors_by_key({"layer_decay": "model.layer_decay"}):
            check_layer_decay(cfg.layer_decay)
    if cfg.mixup_mode != "batch":
        raise ValueError(f"`model.mixup_mode` is {cfg.mixup_mode!r}; expected 'batch' (one draw per batch)")
    if mode_of(cfg) is PredictionMode.CLS_TOKEN and model.encoder.extra_tokens is None:
        raise ValueError(
            "`model.prediction_mode` is CLS_TOKEN, but the pre-trained model has no extra token "
            "(`modalities.image.num_extra_tokens`); expected MEAN_POOLING or LIN_SOFTMAX"
        )


def encoder_config(cfg: Any) -> Any:
    """Return the pre-trained model's configuration, overridden by the keys of fine-tuning."""
    pretrained = OmegaConf.create(plain(cfg.pretrained_model_args)["model"])
    with open_dict(pretrained):
        image = pretrained.modalities.image
        depths = (int(image.prenet_depth), int(pretrained.depth))
        own, shared = drop_path_rates(cfg.drop_path_rate, depths, depths[1])
        image.start_drop_path_rate, image.end_drop_path_rate = own
        pretrained.start_drop_path_rate, pretrained.end_drop_path_rate = shared
        for section, names in ((pretrained, SAME_NAME), (image, OF_PRENET)):
            section.update({name: getattr(cfg, name) for name in names})
        if cfg.norm_eps is not None:
            pretrained.norm_eps = cfg.norm_eps
        if cfg.remove_alibi:
            image.use_alibi_encoder = False
    return pretrained


def without_alibi(weights: Dict[str, Any]) -> Dict[str, Any]:
    """Return weights without the biases of attention by distance (ALiBi)."""
    return {name: value for name, value in weights.items() if not name.endswith((".alibi_scale", ".alibi_bias"))}
