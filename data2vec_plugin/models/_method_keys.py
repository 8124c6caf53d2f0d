"""Settings that all modalities share, by upstream's keys: targets, teacher and loss."""

from typing import Any, Optional

from ..core.config import LossConfig, TargetConfig, TeacherConfig

SHARED_KEYS = {"top_k": "average_top_k_layers", "signal": "target_signal"}
AUDIO_KEYS = {
    **SHARED_KEYS,
    "heads": "encoder_attention_heads",
    "dim": "encoder_embed_dim",
    "activation": "activation_fn",
}
TEXT_KEYS = {
    **SHARED_KEYS,
    "heads": "transformer.encoder.attention_heads",
    "dim": "transformer.encoder.embed_dim",
    "activation": "transformer.activation_fn",
}
IMAGE_KEYS = {**SHARED_KEYS, "heads": "num_heads", "dim": "embed_dim"}
"""The key from which each field of the method's settings was read."""


def target_config(cfg: Any, **other: Any) -> TargetConfig:
    """Return which layers are averaged, and how they are normalised; ``other`` settings replace those of keys."""
    keys = {
        "top_k": cfg.average_top_k_layers,
        "signal": cfg.target_signal,
        "batch_norm": cfg.batch_norm_target_layer,
        "instance_norm": cfg.instance_norm_target_layer,
        "layer_norm": cfg.layer_norm_target_layer,
        "layer_norm_average": cfg.layer_norm_targets,
        "instance_norm_average": cfg.instance_norm_targets,
    }
    return TargetConfig(**{**keys, **other})


def teacher_config(cfg: Any, scope: str) -> TeacherConfig:
    """Return how fast the teacher follows, and which part of the model (``scope``) it averages."""
    return TeacherConfig(scope, cfg.ema_decay, cfg.ema_end_decay, cfg.ema_anneal_end_step)


def loss_config(cfg: Any, at_most_zero: Optional[float]) -> LossConfig:
    """Return the settings of the loss; a ``loss_scale`` of 0 or less, whose meaning differs between upstream's models,
    becomes ``at_most_zero``."""
    scale = cfg.loss_scale
    return LossConfig(cfg.loss_beta, at_most_zero if scale is not None and scale <= 0 else scale)
