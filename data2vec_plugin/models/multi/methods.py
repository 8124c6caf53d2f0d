"""Build the method, made of parts, from the configuration of ``data2vec_multi``."""

from dataclasses import replace
from typing import Any, Optional, Sequence

from torch import nn

from ...config_keys import errors_by_key, modality_keys
from ...core.config import Data2VecConfig, SpanMaskConfig, TransformerConfig
from ...core.masks.exact_masking import ExactMaskConfig
from ...core.model import Data2Vec
from ...core.positions.alibi import AlibiConfig
from ...core.positions.order import NoPositions
from ...core.prediction.decoders import ConvDecoder, DecoderConfig
from ...core.reference import visible_parts
from ...core.several import SeveralModalities
from ...core.transformer import Transformer
from ...modalities.audio import AudioConfig, AudioEmbedder
from ...modalities.conv_spec import parse_conv_layers
from ...modalities.image import FixedPositions, ImageConfig, ImageEmbedder, ResizedPatches
from ...modalities.pixels import PixelRegression, sines_of_grid
from ...modalities.positions import ConvPositions, NormedPositions
from ...modalities.text import TextConfig, TextEmbedder, init_text
from ...modalities.visible import Modality as Parts
from ...modalities.visible import VisibleConfig, init_xavier, reset_linear, visible_data2vec
from .._method_keys import loss_config, target_config, teacher_config
from .multi_config import Data2VecMultiConfig, DecoderKeys, Modality

MULTI_KEYS = {
    "top_k": "average_top_k_layers",
    "signal": "target_signal",
    "heads": "num_heads",
    "dim": "embed_dim",
    "prob": "mask_prob",
    "length": "mask_length",
    "dropout": "mask_dropout",
    "copies": "clone_batch",
    "biased": "num_alibi_heads",
    "distance": "alibi_distance",
}
"""The key from which each field of the method's settings was read."""


def several_modalities(cfg: Data2VecMultiConfig, modalities: Sequence[Modality], dictionary: Any) -> SeveralModalities:
    """Build the methods of ``modalities``, which share layers; text needs the ``dictionary``."""
    with errors_by_key(MULTI_KEYS):
        transformer = Transformer(shared_config(cfg), visible_parts(method_config(cfg)).block)
        decoder = None
        if cfg.shared_decoder is not None:
            decoder = ConvDecoder(decoder_config(cfg.shared_decoder), cfg.embed_dim)
        made = {each.name: one_modality(cfg, each, transformer, decoder, dictionary) for each in modalities}
    return SeveralModalities(made)


def one_modality(
    cfg: Data2VecMultiConfig, modality: Modality, transformer: Transformer, shared: Optional[nn.Module], dictionary: Any
) -> Data2Vec:
    """Build the method of one modality with the shared ``transformer`` and the ``shared`` decoder, if there is one."""
    keys = getattr(cfg.modalities, modality.name.lower())
    config = method_config(cfg, keys)
    parts = {Modality.AUDIO: audio_parts, Modality.IMAGE: image_parts, Modality.TEXT: text_parts}[modality]
    with errors_by_key(modality_keys(modality.name)):
        visible = visible_config(cfg, keys, modality)
    made = visible_data2vec(config, visible, transformer, parts(cfg, keys, dictionary), shared)
    begin(made, cfg, modality)
    return made


def begin(method: Data2Vec, cfg: Data2VecMultiConfig, modality: Modality) -> None:
    """Initialise the weights, in place."""
    initialise = init_xavier if cfg.mae_init else init_text
    for part in (method.encoder, method.predictor.own):
        if isinstance(part, nn.Module):
            part.apply(initialise)
    if isinstance(method.predictor.shared, nn.Module):
        method.predictor.shared.apply(init_xavier)
    if modality is not Modality.TEXT and isinstance(method.predictor.own, ConvDecoder):
        method.predictor.own.proj.apply(reset_linear)
    if modality is Modality.AUDIO:
        reset_linear(method.encoder.embedder.post_extract_proj)  # type: ignore[arg-type]


def shared_config(cfg: Data2VecMultiConfig) -> TransformerConfig:
    """Return the settings of the layers that modalities share."""
    after = 1 - (1 - cfg.activation_dropout) * (1 - cfg.post_mlp_drop)
    return TransformerConfig(
        layers=cfg.depth,
        dim=cfg.embed_dim,
        ffn_dim=int(cfg.mlp_ratio * cfg.embed_dim),
        heads=cfg.num_heads,
        fused=True,
        norm_first=cfg.layer_norm_first,
        norm_at="output" if cfg.layer_norm_first else "none",
        dropout=cfg.encoder_dropout,
        attention_dropout=cfg.attention_dropout,
        activation_dropout=cfg.activation_dropout,
        ffn_dropout=after,
        input_dropout=cfg.dropout_input,
        layer_drop=cfg.layerdrop,
        drop_path=cfg.end_drop_path_rate,
        drop_path_start=cfg.start_drop_path_rate,
        norm_eps=cfg.norm_eps,
        norm_affine=cfg.norm_affine,
        checkpoint_activations=cfg.checkpoint_activations,
    )


def method_config(cfg: Data2VecMultiConfig, keys: Any = None) -> Data2VecConfig:
    """Return the settings of the method, for one modality if its ``keys`` are given."""
    scope = "blocks" if cfg.ema_encoder_only else "whole" if keys and keys.ema_local_encoder else "context"
    signal = cfg.target_signal or ("block" if cfg.end_of_block_targets else "ffn")
    return Data2VecConfig(
        transformer=shared_config(cfg),
        targets=target_config(cfg, signal=signal),
        teacher=replace(teacher_config(cfg, scope), same_dtype=cfg.ema_same_dtype, skips_resumed=cfg.reference_compat),
        loss=replace(loss_config(cfg, at_most_zero=cfg.loss_scale), weight=cfg.d2v_loss),
        input_dropout=getattr(keys, "dropout", 0.0),
        extra_tokens=keys.num_extra_tokens if keys else 0,
        copies=cfg.clone_batch,
        reference_compat=cfg.reference_compat,
    )


def visible_config(cfg: Data2VecMultiConfig, keys: Any, modality: Modality) -> VisibleConfig:
    """Return the settings that data2vec 2.0 adds for one modality."""
    kind = "convolution"
    if getattr(keys, "transformer_decoder", False):
        kind = "cross" if keys.enc_dec_transformer else "transformer"
    decoder: Optional[DecoderKeys] = keys.decoder
    adds = "no"
    if decoder is not None and (decoder.add_positions_all or decoder.add_positions_masked):
        adds = "all" if decoder.add_positions_all else "masked"
    return VisibleConfig(
        name=modality.name,
        prenet=prenet_config(cfg, keys, modality),
        alibi=alibi_config(cfg, keys) if keys.use_alibi_encoder else None,
        mask=mask_config(keys, modality),
        channel_mask=SpanMaskConfig(keys.mask_channel_prob, keys.mask_channel_length),
        keep=keys.keep_masked_pct,
        noisy=not keys.encoder_zero_mask,
        noise=keys.mask_noise_std,
        decoder=None if decoder is None else decoder_config(decoder),
        kind=kind,
        decoder_dropout=0.0 if decoder is None else decoder.input_dropout,
        add_positions=adds,
        zero_extra=keys.init_extra_token_zero,
        utterance_weight=cfg.cls_loss,
    )


def prenet_config(cfg: Data2VecMultiConfig, keys: Any, modality: Modality) -> Optional[TransformerConfig]:
    """Return the settings of a modality's own layers and the norm before them; None for text without such layers."""
    if keys.prenet_depth == 0 and modality is Modality.TEXT:
        return None
    return replace(
        shared_config(cfg),
        layers=keys.prenet_depth,
        norm_at="none" if cfg.layer_norm_first else "input",
        input_dropout=keys.prenet_dropout,
        layer_drop=keys.prenet_layerdrop,
        drop_path=keys.end_drop_path_rate,
        drop_path_start=keys.start_drop_path_rate,
    )


def alibi_config(cfg: Data2VecMultiConfig, keys: Any) -> AlibiConfig:
    """Return the settings of ALiBi; raises ValueError for `learned_alibi` without `alibi_max_pos`."""
    on_grid = getattr(keys, "alibi_dims", 1) == 2
    if keys.learned_alibi and keys.alibi_max_pos is None:
        raise ValueError(
            "`learned_alibi` is true, but `alibi_max_pos` is not set; set it to the number of tokens for which "
            "biases are learned"
        )
    return AlibiConfig(
        heads=cfg.num_heads,
        biased=keys.num_alibi_heads,
        columns=keys.input_size // keys.patch_size if on_grid else None,
        distance=getattr(keys, "alibi_distance", "manhattan"),
        scale=keys.alibi_scale,
        learned=keys.learned_alibi_scale,
        per_head=keys.learned_alibi_scale_per_head,
        layers=keys.prenet_depth + keys.model_depth if keys.learned_alibi_scale_per_layer else 1,
        longest=keys.alibi_max_pos if keys.learned_alibi else None,
    )


def mask_config(keys: Any, modality: Modality) -> Any:
    """Return the settings of masks: for speech, spans that may overlap, unless inverted or single; otherwise blocks."""
    if modality is Modality.AUDIO and keys.mask_length > 1 and not keys.inverse_mask:
        return SpanMaskConfig(
            keys.mask_prob, keys.mask_length, min_masks=1, grow=keys.add_masks, dropout=keys.mask_dropout
        )
    return exact_mask_config(keys)


def exact_mask_config(keys: Any, adjacent: bool = False, separate: bool = False) -> ExactMaskConfig:
    """Return the settings of masks of blocks, then single positions, until the share is reached."""
    return ExactMaskConfig(
        prob=keys.mask_prob,
        length=keys.mask_length,
        adjust=keys.mask_prob_adjust,
        inverse=keys.inverse_mask,
        dropout=keys.mask_dropout,
        adjacent=adjacent,
        separate=separate,
        least=keys.mask_prob_min,
    )


def decoder_config(keys: DecoderKeys) -> DecoderConfig:
    """Return the settings of a decoder."""
    return DecoderConfig(
        dim=keys.decoder_dim,
        layers=keys.decoder_layers,
        kernel=keys.decoder_kernel,
        groups=keys.decoder_groups,
        residual=keys.decoder_residual,
        projections=keys.projection_layers,
        ratio=keys.projection_ratio,
    )


def audio_parts(cfg: Data2VecMultiConfig, keys: Any, dictionary: Any) -> Parts:
    """Speech: convolutions of waves, and convolutions for positions."""
    audio = AudioConfig(
        conv_layers=parse_conv_layers(keys.feature_encoder_spec),
        extractor_mode=str(keys.extractor_mode),
        grad_mult=keys.local_grad_mult,
        padding_leaks=cfg.reference_compat,
    )
    signal: nn.Module = ConvPositions(
        cfg.embed_dim,
        keys.conv_pos_width,
        keys.conv_pos_groups,
        keys.conv_pos_depth,
        leaky=cfg.reference_compat,
        stacked=True,
    )
    if keys.conv_pos_pre_ln:
        signal = NormedPositions(signal, cfg.embed_dim)  # type: ignore[arg-type]
    return Parts(AudioEmbedder(audio, cfg.embed_dim), signal, positions_mix=True)


def image_parts(cfg: Data2VecMultiConfig, keys: Any, dictionary: Any) -> Parts:
    """Images: patches, sines of row and column, and pixels as a second target."""
    image = ImageConfig(keys.input_size, keys.patch_size, keys.in_chans, "none", grad_mult=keys.local_grad_mult)
    patches = ImageEmbedder(image, cfg.embed_dim)
    embedder: nn.Module = patches
    if keys.embed_dim != cfg.embed_dim:
        embedder = resized = ResizedPatches(image, keys.embed_dim, cfg.embed_dim)
        patches = resized.patches
    nn.init.xavier_uniform_(patches.conv.weight.data.flatten(1))
    table = sines_of_grid(cfg.embed_dim, image.grid) if keys.fixed_positions else None
    signal = NoPositions() if table is None else FixedPositions(table)
    made = Parts(embedder, signal, grid=image.grid, table=table)
    if cfg.recon_loss > 0:
        made.further = nn.Linear(cfg.embed_dim, cfg.embed_dim)
        made.terms = [pixel_regression(cfg, image)]
    return made


def pixel_regression(cfg: Data2VecMultiConfig, image: ImageConfig) -> PixelRegression:
    """Return the loss of pixels; raises ValueError unless the encoder has as many channels as a patch has values."""
    pixels = image.patch**2 * image.channels
    if pixels != cfg.embed_dim:
        raise ValueError(
            f"`recon_loss` is {cfg.recon_loss}, which requires as many channels as a patch has values: `embed_dim` is "
            f"{cfg.embed_dim}, but a patch of `patch_size` {image.patch} has {pixels}"
        )
    loss = replace(loss_config(cfg, cfg.loss_scale), weight=cfg.recon_loss)
    settings = method_config(cfg).targets
    return PixelRegression(image.patch, loss, settings.signal, settings.top_k)


def text_parts(cfg: Data2VecMultiConfig, keys: Any, dictionary: Any) -> Parts:
    """Text: embeddings of subwords and their positions."""
    positions = "learned" if keys.learned_pos else "sinusoidal"
    text = TextConfig(
        vocabulary=len(dictionary),
        pad=dictionary.pad(),
        max_positions=keys.max_source_positions,
        positions="none" if keys.no_token_positional_embeddings else positions,
        scale_embedding=not keys.no_scale_embedding,
        norm_embedding=keys.layernorm_embedding,
        grad_mult=keys.local_grad_mult,
    )
    return Parts(TextEmbedder(text, cfg.embed_dim, 1e-5), NoPositions())
