"""Configuration of ``data2vec_vision``: exactly upstream's keys and defaults, then this plugin's own.

A default decides what an absent key in a user's YAML or checkpoint means, so none of upstream's is changed.
"""

from dataclasses import dataclass
from typing import Optional

from fairseq.dataclass import FairseqDataclass
from omegaconf import II

from ..config_keys import BLOCK_KEYS, errors_by_key, key
from ..core.config import Data2VecConfig, TransformerConfig
from ..core.masks.block_masking import BlockMaskConfig
from ..modalities.image import ImageConfig
from ._method_keys import IMAGE_KEYS, loss_config, target_config, teacher_config


@dataclass
class Data2VecVisionConfig(FairseqDataclass):
    """Keys of upstream's data2vec_vision, and seven of this plugin's at the end."""

    layer_scale_init_value: float = key(1e-4, "initial scale of every residual branch, learned; 0 for none")
    num_mask_patches: int = key(75, "patches to mask in each image; the published runs mask 120 of 196")
    min_mask_patches_per_block: int = key(16, "least number of patches in a masked block")
    max_mask_patches_per_block: int = key(196, "most patches in a masked block")
    image_size: int = key(224, "pixels along each side of an image")
    patch_size: int = key(16, "pixels along each side of a patch")
    in_channels: int = key(3, "channels of an image")
    shared_rel_pos_bias: bool = key(True, "all layers share one table of relative positions instead of one each")
    drop_path: float = key(0.1, "probability to drop a residual branch of the last layer, from 0 in the first")
    attention_dropout: float = key(0.0, "dropout of attention weights")
    depth: int = key(12, "number of Transformer layers")
    embed_dim: int = key(768, "channels of the encoder")
    num_heads: int = key(12, "attention heads")
    mlp_ratio: int = key(4, "channels inside the feed-forward, in multiples of embed_dim")

    loss_beta: float = key(0, "beta of the smooth L1 loss; 0 is the squared error")
    loss_scale: Optional[float] = key(None, "factor on the loss; None is 1/sqrt(embed_dim), values <= 0 are 1")
    average_top_k_layers: int = key(8, "K: how many of the teacher's top layers make the target")
    end_of_block_targets: bool = key(True, "targets are the outputs of layers; false: those of their feed-forward")
    layer_norm_target_layer: bool = key(False, "layer-normalise every target layer")
    instance_norm_target_layer: bool = key(False, "normalise every channel of every target layer over patches")
    batch_norm_target_layer: bool = key(False, "normalise every channel of every target layer over batch and patches")
    instance_norm_targets: bool = key(False, "normalise every channel of the average over patches")
    layer_norm_targets: bool = key(False, "layer-normalise the average")
    ema_decay: float = key(0.999, "the teacher's decay at the start")
    ema_end_decay: float = key(0.9999, "the teacher's decay from ema_anneal_end_step on")
    ema_anneal_end_step: int = II("optimization.max_update")
    ema_transformer_only: bool = key(True, "the teacher copies the encoder only and shares the patch embedding")

    min_target_var: float = key(0.1, "standard deviation of the targets below which training counts as collapsed")
    min_pred_var: float = key(0.01, "standard deviation of the predictions below which training counts as collapsed")
    target_signal: Optional[str] = key(
        None, "layer signal used as target: attention, ffn, ffn_residual or block; None: set by end_of_block_targets"
    )
    rel_pos_bias: bool = key(True, "attention has a bias for relative positions; without it, patches have no order")
    norm_eps: float = key(1e-5, "epsilon of layer norms; 1e-5 in upstream, less in models of other libraries")
    checkpoint_activations: bool = key(False, "recompute activations in the backward pass, to save memory")
    reference_compat: bool = key(False, "reproduce upstream's bug: predictions that bypass the prediction head")


def method_config(cfg: Data2VecVisionConfig) -> Data2VecConfig:
    """Return the settings of the method; raises ValueError for a value that it does not support."""
    if cfg.num_heads < 1 or cfg.embed_dim % cfg.num_heads:
        raise ValueError(
            f"`model.num_heads` is {cfg.num_heads}, which does not divide `model.embed_dim` {cfg.embed_dim}; "
            f"expected a divisor"
        )
    with errors_by_key(IMAGE_KEYS):
        return Data2VecConfig(
            transformer=TransformerConfig(
                layers=cfg.depth,
                dim=cfg.embed_dim,
                ffn_dim=cfg.mlp_ratio * cfg.embed_dim,
                heads=cfg.num_heads,
                norm_first=True,
                norm_at="output",
                dropout=0.0,
                attention_dropout=cfg.attention_dropout,
                drop_path=cfg.drop_path,
                layer_scale=cfg.layer_scale_init_value,
                key_bias=False,
                norm_eps=cfg.norm_eps,
                checkpoint_activations=cfg.checkpoint_activations,
            ),
            targets=target_config(cfg, signal=target_signal(cfg)),
            teacher=teacher_config(cfg, "encoder" if cfg.ema_transformer_only else "model"),
            loss=loss_config(cfg, at_most_zero=1.0),
            extra_tokens=1,
            reference_compat=cfg.reference_compat,
        )


def image_config(cfg: Data2VecVisionConfig) -> ImageConfig:
    """Return the settings of images; raises ValueError for sizes that do not fit together."""
    positions = "shared" if cfg.shared_rel_pos_bias else "layers"
    with errors_by_key(BLOCK_KEYS):
        mask = BlockMaskConfig(cfg.num_mask_patches, cfg.min_mask_patches_per_block, cfg.max_mask_patches_per_block)
    if cfg.image_size == cfg.patch_size:
        raise ValueError(
            f"`model.patch_size` and `model.image_size` are both {cfg.patch_size}: an image is one patch, and nothing "
            "is visible once it is masked; expected at least two patches: raise `model.image_size` or lower "
            "`model.patch_size`"
        )
    return ImageConfig(
        size=cfg.image_size,
        patch=cfg.patch_size,
        channels=cfg.in_channels,
        positions=positions if cfg.rel_pos_bias else "none",
        mask=mask,
    )


def target_signal(cfg: Data2VecVisionConfig) -> str:
    """Return the signal of a layer that is regressed, and that ``layer_results`` hold."""
    return cfg.target_signal or ("block" if cfg.end_of_block_targets else "ffn")
