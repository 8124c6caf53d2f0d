"""Configuration of ``data2vec_audio``: exactly upstream's keys and defaults, then this plugin's own.

A default decides what an absent key in a user's YAML or checkpoint means, so none of upstream's is changed.
"""

from dataclasses import dataclass
from typing import Any, Mapping, Optional, Tuple

from fairseq.dataclass import FairseqDataclass
from omegaconf import II

from ..config_keys import CHANNEL_KEYS, FRAME_KEYS, errors_by_key, key
from ..core.config import Data2VecConfig, SpanMaskConfig, TargetConfig, TransformerConfig
from ..modalities.audio import AudioConfig
from ..modalities.conv_spec import parse_conv_layers
from ._method_keys import AUDIO_KEYS, loss_config, target_config, teacher_config


@dataclass
class Data2VecAudioConfig(FairseqDataclass):
    """Keys of wav2vec 2.0's model, of upstream's data2vec_audio, and three of this plugin's at the end."""

    extractor_mode: str = key(
        "default", "normalisation in the feature extractor: default (group norm in layer 0) or layer_norm"
    )
    encoder_layers: int = key(12, "number of Transformer layers")
    encoder_embed_dim: int = key(768, "channels of the encoder")
    encoder_ffn_embed_dim: int = key(3072, "channels inside the feed-forward")
    encoder_attention_heads: int = key(12, "attention heads")
    activation_fn: str = key("gelu", "activation of the feed-forward")
    layer_type: str = key("transformer", "kind of layer; only transformer")

    dropout: float = key(0.1, "dropout of residual branches and encoder input")
    attention_dropout: float = key(0.1, "dropout of attention weights")
    activation_dropout: float = key(0.0, "dropout after the activation of the feed-forward")
    encoder_layerdrop: float = key(0.0, "probability to skip a layer in training")
    dropout_input: float = key(0.0, "dropout of the encoder's input, before the mask")
    dropout_features: float = key(0.0, "accepted; upstream never applies it")

    final_dim: int = key(0, "accepted; belongs to wav2vec 2.0's quantiser")
    layer_norm_first: bool = key(False, "pre-norm instead of post-norm")
    conv_feature_layers: str = key(
        "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
        "feature extractor: list of (channels, kernel, stride), with + and *",
    )
    conv_bias: bool = key(False, "bias in the feature extractor")
    logit_temp: float = key(0.1, "accepted; belongs to wav2vec 2.0's contrastive loss")
    quantize_targets: bool = key(False, "accepted; belongs to wav2vec 2.0's quantiser")
    quantize_input: bool = key(False, "accepted; belongs to wav2vec 2.0's quantiser")
    same_quantizer: bool = key(False, "accepted; belongs to wav2vec 2.0's quantiser")
    target_glu: bool = key(False, "accepted; belongs to wav2vec 2.0's quantiser")
    feature_grad_mult: float = key(1.0, "scale of the gradient into the feature extractor; 0 freezes it")
    quantizer_depth: int = key(1, "accepted; belongs to wav2vec 2.0's quantiser")
    quantizer_factor: int = key(3, "accepted; belongs to wav2vec 2.0's quantiser")
    latent_vars: int = key(320, "accepted; belongs to wav2vec 2.0's quantiser")
    latent_groups: int = key(2, "accepted; belongs to wav2vec 2.0's quantiser")
    latent_dim: int = key(0, "accepted; belongs to wav2vec 2.0's quantiser")

    mask_length: int = key(10, "frames in a masked span")
    mask_prob: float = key(0.65, "share of frames covered by spans, before overlaps; 0 for no mask")
    mask_selection: str = key("static", "span lengths: static, uniform, normal or poisson")
    mask_other: float = key(0, "second parameter of the span lengths")
    no_mask_overlap: bool = key(False, "spans must not overlap")
    mask_min_space: int = key(1, "least number of frames between spans that must not overlap")
    require_same_masks: bool = key(True, "mask the same share of every row of a batch")
    mask_dropout: float = key(0.0, "share of masked frames that are unmasked again")

    mask_channel_length: int = key(10, "channels in a masked span")
    mask_channel_prob: float = key(0.0, "share of channels zeroed, before overlaps")
    mask_channel_before: bool = key(False, "zero channels before frames are masked")
    mask_channel_selection: str = key("static", "as mask_selection, for channels")
    mask_channel_other: float = key(0, "as mask_other, for channels")
    no_mask_channel_overlap: bool = key(False, "as no_mask_overlap, for channels")
    mask_channel_min_space: int = key(1, "as mask_min_space, for channels")

    num_negatives: int = key(100, "accepted; belongs to wav2vec 2.0's contrastive loss")
    negatives_from_everywhere: bool = key(False, "accepted; belongs to wav2vec 2.0's contrastive loss")
    cross_sample_negatives: int = key(0, "accepted; belongs to wav2vec 2.0's contrastive loss")
    codebook_negatives: int = key(0, "accepted; belongs to wav2vec 2.0's contrastive loss")

    conv_pos: int = key(128, "frames spanned by the position convolutions")
    conv_pos_groups: int = key(16, "groups of the position convolutions")
    pos_conv_depth: int = key(1, "number of position convolutions; 1 is wav2vec 2.0's weight-normalised one")
    latent_temp: Tuple[float, float, float] = key((2, 0.5, 0.999995), "accepted; belongs to wav2vec 2.0's quantiser")
    max_positions: int = key(100000, "accepted; convolutional positions have no limit")
    checkpoint_activations: bool = key(False, "recompute activations in the backward pass, to save memory")
    required_seq_len_multiple: int = key(2, "accepted; this plugin's attention needs no padding to a multiple")
    crop_seq_to_multiple: int = key(1, "accepted; only 1")
    depthwise_conv_kernel_size: int = key(31, "accepted; belongs to conformer layers")
    attn_type: str = key("", "accepted; only the default")
    pos_enc_type: str = key("abs", "accepted; belongs to conformer layers")
    fp16: bool = key(False, "accepted; the precision is set by common.fp16 or common.bf16")
    adp_num: int = key(-1, "accepted; only -1, no adapters")
    adp_dim: int = key(64, "accepted; belongs to adapters")
    adp_act_fn: str = key("relu", "accepted; belongs to adapters")
    adp_trf_idx: str = key("all", "accepted; belongs to adapters")

    loss_beta: float = key(0, "beta of the smooth L1 loss; 0 is the squared error")
    loss_scale: Optional[float] = key(None, "factor on the loss; None and values <= 0 are 1/sqrt(encoder_embed_dim)")
    average_top_k_layers: int = key(8, "K: how many of the teacher's top layers make the target")
    layer_norm_target_layer: bool = key(False, "layer-normalise every target layer")
    instance_norm_target_layer: bool = key(False, "normalise every channel of every target layer over time")
    instance_norm_targets: bool = key(False, "normalise every channel of the average over time")
    layer_norm_targets: bool = key(False, "layer-normalise the average")
    batch_norm_target_layer: bool = key(False, "normalise every channel of every target layer over batch and time")
    group_norm_target_layer: bool = key(False, "normalise every target layer over time and channels")
    ema_decay: float = key(0.999, "the teacher's decay at the start")
    ema_end_decay: float = key(0.9999, "the teacher's decay from ema_anneal_end_step on")
    ema_anneal_end_step: int = II("optimization.max_update")
    ema_transformer_only: bool = key(True, "the teacher copies the encoder only and shares the feature extractor")
    ema_layers_only: bool = key(True, "as ema_transformer_only, and its position convolution is copied, not averaged")
    max_update: int = II("optimization.max_update")
    min_target_var: float = key(0.1, "standard deviation of the targets below which training counts as collapsed")
    min_pred_var: float = key(0.01, "standard deviation of the predictions below which training counts as collapsed")

    target_signal: str = key("ffn", "layer signal used as target: attention, ffn, ffn_residual or block")
    reference_compat: bool = key(
        False, "reproduce upstream's numerical bugs: padding in positions and statistics, axes"
    )
    compile_encoder: bool = key(False, "run the encoder through torch.compile")


def method_config(cfg: Data2VecAudioConfig) -> Data2VecConfig:
    """Return the settings of the method; raises ValueError for a value that it does not support."""
    _refuse_unsupported(cfg)
    with errors_by_key(AUDIO_KEYS):
        return Data2VecConfig(
            transformer=TransformerConfig(
                layers=cfg.encoder_layers,
                dim=cfg.encoder_embed_dim,
                ffn_dim=cfg.encoder_ffn_embed_dim,
                heads=cfg.encoder_attention_heads,
                activation=cfg.activation_fn,
                norm_first=cfg.layer_norm_first,
                norm_at="output" if cfg.layer_norm_first else "input",
                dropout=cfg.dropout,
                attention_dropout=cfg.attention_dropout,
                activation_dropout=cfg.activation_dropout,
                layer_drop=cfg.encoder_layerdrop,
                checkpoint_activations=cfg.checkpoint_activations,
                compiled=cfg.compile_encoder,
            ),
            targets=_target_config(cfg),
            teacher=teacher_config(cfg, _scope(cfg)),
            loss=loss_config(cfg, at_most_zero=None),
            mask=span_masks(cfg, FRAME_KEYS, min_masks=1, same_share=cfg.require_same_masks),
            channel_mask=span_masks(cfg, CHANNEL_KEYS),
            channel_mask_before=cfg.mask_channel_before,
            input_dropout=cfg.dropout_input,
            reference_compat=cfg.reference_compat,
        )


def span_masks(cfg: Data2VecAudioConfig, keys: Mapping[str, str], **more: Any) -> SpanMaskConfig:
    """Return the settings of masks under these ``keys``; raises ValueError, which names the key, for invalid values."""
    with errors_by_key(keys):
        return SpanMaskConfig(**{name: getattr(cfg, key.partition(".")[2]) for name, key in keys.items()}, **more)


def audio_config(cfg: Data2VecAudioConfig) -> AudioConfig:
    """Return the settings of the speech front end."""
    return AudioConfig(
        conv_layers=parse_conv_layers(cfg.conv_feature_layers),
        extractor_mode=str(cfg.extractor_mode),
        conv_bias=cfg.conv_bias,
        grad_mult=cfg.feature_grad_mult,
        position_width=cfg.conv_pos,
        position_groups=cfg.conv_pos_groups,
        position_depth=cfg.pos_conv_depth,
        padding_leaks=cfg.reference_compat,
    )


def _target_config(cfg: Data2VecAudioConfig) -> TargetConfig:
    # the reference's whole-model teacher averages every layer, whatever K says
    all_layers = cfg.reference_compat and _scope(cfg) == "model"
    return target_config(
        cfg,
        top_k=cfg.encoder_layers if all_layers else cfg.average_top_k_layers,
        group_norm=cfg.group_norm_target_layer,
        reference_axes=cfg.reference_compat,
    )


def _scope(cfg: Data2VecAudioConfig) -> str:
    if cfg.ema_layers_only:
        return "layers"
    return "encoder" if cfg.ema_transformer_only else "model"


def _refuse_unsupported(cfg: Data2VecAudioConfig) -> None:
    """Raise ValueError for values of keys that upstream inherits and no published data2vec uses."""
    supported = {
        "layer_type": "transformer",
        "adp_num": -1,
        "crop_seq_to_multiple": 1,
        "attn_type": "",
    }
    for name, value in supported.items():
        if getattr(cfg, name) != value:
            raise ValueError(f"`model.{name}` is {getattr(cfg, name)!r}; this model supports {value!r} only")
