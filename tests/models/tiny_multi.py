"""A small model of data2vec 2.0 for tests, by the keys of a recipe's section."""

from __future__ import annotations

from typing import Any, Dict, Optional

import torch
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf

from data2vec_plugin.models.multi.data2vec_multi import Data2VecMultiModel
from data2vec_plugin.models.multi.multi_config import Data2VecMultiConfig

DIM, LAYERS, COPIES, PIXELS = 16, 2, 2, 16
CONV = "[(8,10,5)] + [(8,3,2)]"

OF_MODALITY: Dict[str, Dict[str, Any]] = {
    "audio": {
        **{"feature_encoder_spec": CONV, "conv_pos_width": 9, "conv_pos_groups": 4, "conv_pos_depth": 3},
        **{"mask_prob": 0.5, "mask_prob_adjust": 0.05, "use_alibi_encoder": True, "learned_alibi_scale": True},
    },
    "image": {
        **{"input_size": PIXELS, "patch_size": 4, "embed_dim": DIM, "inverse_mask": True, "mask_prob": 0.75},
        **{"mask_length": 2, "num_extra_tokens": 1, "alibi_distance": "manhattan"},
    },
    "text": {"mask_prob": 0.5, "mask_length": 1, "max_source_positions": 64},
}


def section(*modalities: str, of: Optional[Dict[str, Dict[str, Any]]] = None, **settings: Any) -> Dict[str, Any]:
    """A recipe's model section in small: of these modalities, without dropout; ``of`` has further keys of each."""
    decoder = {"decoder_dim": DIM, "decoder_groups": 4, "decoder_kernel": 3, "decoder_layers": 2, "input_dropout": 0.0}
    shared = {"prenet_depth": 1, "num_alibi_heads": 2, "model_depth": LAYERS, "decoder": decoder}
    keys = {name: {**shared, **OF_MODALITY[name], **(of or {}).get(name, {})} for name in modalities}
    if "text" in keys:
        keys["text"]["dropout"] = 0.0
    values: Dict[str, Any] = {"_name": "data2vec_multi", "depth": LAYERS, "embed_dim": DIM, "num_heads": 2}
    values.update(mlp_ratio=2, average_top_k_layers=2, clone_batch=COPIES, instance_norm_target_layer=True)
    values.update(encoder_dropout=0.0, post_mlp_drop=0.0, attention_dropout=0.0, ema_encoder_only=False)
    values.update(ema_anneal_end_step=10, max_update=10, seed=1, modalities=keys)
    if len(modalities) == 1:
        values["supported_modality"] = modalities[0].upper()
    return {**values, **settings}


def config(*modalities: str, **settings: Any) -> Any:
    """The same as fairseq hands it to a task."""
    return merge_with_parent(Data2VecMultiConfig(), OmegaConf.create(section(*modalities, **settings)))


def tiny_multi(*modalities: str, task: Any = None, **settings: Any) -> Data2VecMultiModel:
    """A model of one kind of weights, in training mode."""
    torch.manual_seed(0)
    return Data2VecMultiModel.build_model(config(*modalities, **settings), task).train()
