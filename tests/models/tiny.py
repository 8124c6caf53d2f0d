"""A small speech model for the tests of this folder."""

from __future__ import annotations

from typing import Any, Dict

import torch
from torch import Tensor

from data2vec_plugin.models.audio_config import Data2VecAudioConfig
from data2vec_plugin.models.data2vec_audio import Data2VecAudioModel

SAMPLES, FRAMES, DIM, LAYERS = 510, 50, 16, 3


def tiny_model(**settings: Any) -> Data2VecAudioModel:
    """A model of one kind of weights, in training mode."""
    values = {"encoder_layers": LAYERS, "encoder_embed_dim": DIM, "encoder_ffn_embed_dim": 24, "conv_pos": 15}
    values.update(encoder_attention_heads=4, conv_pos_groups=4, pos_conv_depth=3, average_top_k_layers=2)
    values.update(dropout=0.0, attention_dropout=0.0, mask_length=5, ema_anneal_end_step=10, max_update=10)
    cfg = Data2VecAudioConfig(extractor_mode="layer_norm", conv_feature_layers="[(8,10,5)] + [(8,3,2)]")
    for name, value in {**values, **settings}.items():
        setattr(cfg, name, value)
    torch.manual_seed(0)
    return Data2VecAudioModel(cfg).train()


def batch(rows: int = 2) -> Tensor:
    """Waveforms of noise, (rows, SAMPLES)."""
    return torch.randn(rows, SAMPLES, generator=torch.Generator().manual_seed(1))


def drift(model: torch.nn.Module, seed: int) -> None:
    """What an optimiser would do."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)


def assert_same(left: Dict[str, Any], right: Dict[str, Any]) -> None:
    """The same entries, to the bit; a teacher is a dict of its own."""
    assert left.keys() == right.keys()
    for key, value in left.items():
        if isinstance(value, Tensor):
            assert torch.equal(value, right[key]), key
        else:
            assert_same(value, right[key])
