"""data2vec 2.0, out of the method's parts: only visible tokens are encoded, in several masks for one teacher's pass.

A modality brings what it always brings, an embedder and positions; the rest is the same for all.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from ..core.config import Data2VecConfig, SpanMaskConfig, TransformerConfig
from ..core.encoder import Encoder
from ..core.masks.exact_masking import ExactMaskConfig, ExactMasker
from ..core.masks.masking import Masker, SpanMasker
from ..core.model import Data2Vec
from ..core.objective.terms import Regression, Term
from ..core.positions.alibi import Alibi, AlibiConfig, AlibiPositions
from ..core.prediction.cross_attending import CrossAttendingDecoder
from ..core.prediction.decoders import ConvDecoder, DecoderConfig, TransformerDecoder
from ..core.reference import visible_parts
from ..core.transformer import Transformer

Grid = Tuple[int, int]


@dataclass(frozen=True)
class VisibleConfig:
    """Settings of data2vec 2.0 for one modality, in addition to the method's.

    An optional ``prenet`` holds the modality's own layers. Masked tokens that are kept, and the input of position
    convolutions at masked tokens, are zero, or with ``noisy`` views noise of standard deviation ``noise``, as in
    decoders. ``keep`` is the share of masked tokens that are encoded too. ``kind`` of the decoder is "convolution",
    "transformer" or "cross"; ``add_positions`` to its input, if they are fixed, is "no", "masked" or "all". The weights
    are those of the terms other than the regression's ``loss``.
    """

    name: str = ""
    prenet: Optional[TransformerConfig] = None
    alibi: Optional[AlibiConfig] = None
    mask: Union[ExactMaskConfig, SpanMaskConfig] = field(default_factory=ExactMaskConfig)
    channel_mask: SpanMaskConfig = field(default_factory=lambda: SpanMaskConfig(prob=0.0))
    keep: float = 0.0
    noisy: bool = False
    noise: float = 0.01
    decoder: Optional[DecoderConfig] = field(default_factory=DecoderConfig)
    kind: str = "convolution"
    decoder_dropout: float = 0.0
    add_positions: str = "no"
    zero_extra: bool = True
    utterance_weight: float = 0.0


@dataclass
class Modality:
    """What a modality brings: an ``embedder``, and positions (``signal``), which may spread over neighbours.

    Where tokens have them, a ``grid`` and fixed positions' ``table`` (1, T, C). ``further`` makes one more output of
    the decoder's, which further ``terms`` read.
    """

    embedder: nn.Module
    signal: nn.Module
    positions_mix: bool = False
    grid: Optional[Grid] = None
    table: Optional[Tensor] = None
    further: Optional[nn.Module] = None
    terms: Sequence[Term] = ()


def visible_data2vec(
    config: Data2VecConfig,
    visible: VisibleConfig,
    transformer: Transformer,
    modality: Modality,
    shared_decoder: Optional[nn.Module] = None,
) -> Data2Vec:
    """The method on one modality, with layers and perhaps a decoder that others share."""
    parts = visible_parts(config)
    dim = config.transformer.dim
    positions_mix = modality.positions_mix or visible.keep > 0
    view = parts.view(config.input_dropout, positions_mix, visible.noise if visible.noisy else None)
    prenet = None if visible.prenet is None else Transformer(visible.prenet, parts.block)
    positions = AlibiPositions(modality.signal, None if visible.alibi is None else Alibi(visible.alibi))
    encoder = parts.encoder(transformer, view, modality.embedder, config.extra_tokens, positions, prenet)
    begin_extra_tokens(encoder, visible.zero_extra)
    own = None if visible.decoder is None else decoder(config, visible, visible.decoder, modality)
    predictor = parts.decoder(
        own,
        shared_decoder,
        visible.noise,
        visible.decoder_dropout,
        modality.further,
        modality.table if visible.add_positions != "no" else None,
        visible.add_positions == "all",
    )
    channels = SpanMasker(visible.channel_mask) if visible.channel_mask.prob > 0 else None
    masks = parts.masks(masker(visible.mask, modality.grid), channels, dim, config.copies, True, visible.keep)
    terms = visible_terms(config, visible, modality, (own is not None) + (shared_decoder is not None))
    return Data2Vec(config, encoder, masks, predictor, terms)


def visible_terms(config: Data2VecConfig, visible: VisibleConfig, modality: Modality, outputs: int) -> List[Term]:
    """A regression for each decoder, what the utterance's token regresses, and the modality's own."""
    parts = visible_parts(config)
    average = parts.average(config.targets, visible.utterance_weight > 0)
    terms: List[Term] = []
    for index in range(outputs if config.loss.weight > 0 else 0):
        name = f"{visible.name}_regression" + (f"_{index}" if outputs > 1 else "")
        terms.append(Regression(config.targets, config.loss, name, average, index))
    if visible.utterance_weight > 0:
        loss = replace(config.loss, weight=visible.utterance_weight)
        terms.append(parts.utterance(config.targets, loss, "cls", average))
    return [*terms, *modality.terms]


def decoder(config: Data2VecConfig, visible: VisibleConfig, settings: DecoderConfig, modality: Modality) -> nn.Module:
    """A modality's own decoder."""
    dim = config.transformer.dim
    if visible.kind == "convolution":
        return ConvDecoder(settings, dim, modality.grid)
    if visible.kind == "transformer":
        layers = replace(
            config.transformer,
            layers=settings.layers,
            dim=settings.dim,
            ffn_dim=settings.dim * config.transformer.ffn_dim // dim,
            heads=8,
            norm_at="none",
            input_dropout=0.0,
            drop_path=0.0,
            drop_path_start=0.0,
            layer_drop=0.0,
        )
        return TransformerDecoder(Transformer(layers, visible_parts(config).block), dim)
    if modality.table is None:
        raise ValueError("a decoder with cross-attention needs fixed positions, but there are none")
    return CrossAttendingDecoder(settings, dim, modality.table)


def masker(mask: Union[ExactMaskConfig, SpanMaskConfig], grid: Optional[Grid]) -> Masker:
    """What draws the masks."""
    return SpanMasker(mask) if isinstance(mask, SpanMaskConfig) else ExactMasker(mask, grid)


def begin_extra_tokens(encoder: Encoder, zero: bool) -> None:
    """The first is initialised to zero, or all to normal noise, so that several differ."""
    if encoder.extra_tokens is not None:
        with torch.no_grad():
            encoder.extra_tokens[:, 1 if zero else 0 :].normal_()


def init_xavier(module: nn.Module) -> None:
    """The initialisation of masked autoencoders, of linear layers."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def reset_linear(module: nn.Module) -> None:
    """torch's own initialisation of linear layers."""
    if isinstance(module, nn.Linear):
        module.reset_parameters()
