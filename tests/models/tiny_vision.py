"""A small image model for the tests of this folder."""

from __future__ import annotations

from typing import Any, Dict

import torch
from fairseq.dataclass.utils import merge_with_parent
from omegaconf import OmegaConf
from torch import Tensor

from data2vec_plugin.models.data2vec_vision import Data2VecVisionModel
from data2vec_plugin.models.vision_config import Data2VecVisionConfig

DIM, LAYERS, HEADS, SIDE, PIXELS = 16, 3, 4, 4, 16
N = SIDE * SIDE


def section(**settings: Any) -> Dict[str, Any]:
    """The recipe's model section in small."""
    values: Dict[str, Any] = {"_name": "data2vec_vision", "image_size": PIXELS, "patch_size": PIXELS // SIDE}
    values.update(depth=LAYERS, embed_dim=DIM, num_heads=HEADS, mlp_ratio=2, average_top_k_layers=2, drop_path=0.0)
    values.update(num_mask_patches=6, min_mask_patches_per_block=2, layer_scale_init_value=0.5, ema_anneal_end_step=10)
    return {**values, **settings}


def tiny_vision(**settings: Any) -> Data2VecVisionModel:
    """A model of one kind of weights, in training mode; biases of position are not what they start as."""
    cfg = merge_with_parent(Data2VecVisionConfig(), OmegaConf.create(section(**settings)))
    torch.manual_seed(0)
    model = Data2VecVisionModel.build_model(cfg).train()
    for name, parameter in model.named_parameters():
        if name.endswith("rel_pos_bias.table"):
            torch.nn.init.normal_(parameter)
    return model


def images(count: int = 2) -> Tensor:
    """Noise, (count, 3, PIXELS, PIXELS)."""
    return torch.randn(count, 3, PIXELS, PIXELS, generator=torch.Generator().manual_seed(1))


def grid_mask(count: int = 2) -> Tensor:
    """A mask of two rows of patches, one of which differs from image to image."""
    mask = torch.zeros(count, SIDE, SIDE, dtype=torch.bool)
    mask[:, 1] = True
    mask[0, 2, :3] = True
    return mask
