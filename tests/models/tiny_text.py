"""A small text model for the tests of this folder, and a checkpoint as fairseq's trainer writes it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Optional

import torch
from fairseq.data import Dictionary
from fairseq.dataclass.utils import merge_with_parent
from models.tiny import drift
from omegaconf import OmegaConf
from torch import Tensor

from data2vec_plugin.models.data2vec_text import Data2VecTextModel
from data2vec_plugin.models.text_config import Data2VecTextConfig

WORDS, DIM, LAYERS, T = 20, 16, 3, 12


def dictionary(words: int = WORDS) -> Dictionary:
    """``words`` words and the mask symbol that tasks add."""
    made = Dictionary()
    for number in range(words):
        made.add_symbol(f"w{number}")
    made.add_symbol("<mask>")
    return made


PAD, MASK = dictionary().pad(), dictionary().index("<mask>")


def section(**settings: Any) -> Dict[str, Any]:
    """The recipe's model section in small; ``settings`` may name keys of the transformer's encoder by ``encoder__``."""
    encoder = {"embed_dim": DIM, "ffn_embed_dim": 24, "layers": LAYERS, "attention_heads": 4, "learned_pos": True}
    transformer = {"dropout": 0.0, "attention_dropout": 0.0, "activation_fn": "gelu", "layernorm_embedding": True}
    transformer.update(no_scale_embedding=True, max_source_positions=32)
    values = {"_name": "data2vec_text", "max_positions": 32, "average_top_k_layers": 2, "ema_anneal_end_step": 10}
    for name, value in settings.items():
        part, _, key = name.rpartition("__")
        {"": values, "transformer": transformer, "encoder": encoder}[part][key] = value
    return {**values, "transformer": {**transformer, "encoder": encoder}}


def tiny_text(symbols: Optional[Dictionary] = None, **settings: Any) -> Data2VecTextModel:
    """A model of one kind of weights, in training mode."""
    cfg = merge_with_parent(Data2VecTextConfig(), OmegaConf.create(section(**settings)))
    torch.manual_seed(0)
    task = SimpleNamespace(source_dictionary=symbols or dictionary())
    return Data2VecTextModel.build_model(cfg, task).train()


def whole(rows: int = 2, width: int = T) -> Tensor:
    """Sentences between <s> and </s>, (rows, width)."""
    words = torch.randint(4, 4 + WORDS, (rows, width), generator=torch.Generator().manual_seed(1))
    words[:, 0], words[:, -1] = 0, 2
    return words


def write_checkpoint(path: Path, symbols: Optional[Dictionary] = None, **settings: Any) -> Data2VecTextModel:
    """Pre-train for two updates that an optimiser might have made, and save; returns the model."""
    model = tiny_text(symbols, **settings)
    for update in range(3):
        model.set_num_updates(update)
        drift(model, update)
    cfg = {"model": section(**settings), "task": {"_name": "masked_lm", "data": "gone", "tokens_per_sample": 32}}
    torch.save(trainer_state(cfg, model.state_dict()), path)
    return model


def trainer_state(cfg: Dict[str, Any], weights: Dict[str, Any]) -> Dict[str, Any]:
    """A checkpoint in the layout of fairseq's trainer."""
    optimiser = {"criterion_name": "C", "optimizer_name": "O", "lr_scheduler_state": {}, "num_updates": 2}
    return {
        "args": None,
        "cfg": {"common": {"seed": 1}, "criterion": {"_name": "model"}, **cfg},
        "model": weights,
        "optimizer_history": [optimiser],
        "task_state": {},
        "extra_state": {"train_iterator": {"epoch": 1}},
        "last_optimizer_state": None,
    }
