"""Upstream's own data2vec, as the installed fairseq ships it, in a process without our package.

``python upstream.py train FOLDER`` trains tiny models of speech and text with fairseq's trainer: for each a checkpoint
after SAVED updates, and the weights and losses at the end of all. ``python upstream.py load FOLDER`` reads checkpoints
of ours there and writes upstream's features of them. This module imports nothing of ours.
"""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import fairseq
import torch
from fairseq import models, utils
from fairseq.criterions.model_criterion import ModelCriterion
from fairseq.data import Dictionary
from fairseq.trainer import Trainer

sys.path.append(str(Path(__file__).resolve().parents[1]))

from optim.bare_trainer import ADAM, Task, config, save

EXAMPLES = Path(fairseq.__file__).parent / "examples" / "data2vec"
SAVED, UPDATES = 3, 5
SAMPLES, FRAMES, WORDS = 510, 50, 20
DECAY = {"ema_decay": 0.9, "ema_end_decay": 0.99, "ema_anneal_end_step": 10, "average_top_k_layers": 2}
AUDIO = {
    **{"_name": "data2vec_audio", "extractor_mode": "layer_norm", "conv_feature_layers": "[(8,10,5)] + [(8,3,2)]"},
    **{"encoder_layers": 3, "encoder_embed_dim": 16, "encoder_ffn_embed_dim": 24, "encoder_attention_heads": 4},
    **{"conv_pos": 15, "conv_pos_groups": 4, "pos_conv_depth": 3, "dropout": 0.0, "attention_dropout": 0.0},
    **{"instance_norm_target_layer": True, "max_update": 10, **DECAY},
}
ENCODER = {"embed_dim": 16, "ffn_embed_dim": 24, "layers": 3, "attention_heads": 4, "learned_pos": True}
TRANSFORMER = {
    **{"dropout": 0.0, "attention_dropout": 0.0, "activation_fn": "gelu", "layernorm_embedding": True},
    **{"no_scale_embedding": True, "max_source_positions": 32, "encoder": ENCODER},
}
TEXT = {"_name": "data2vec_text", "max_positions": 32, "head_layers": 2, "loss_scale": 1.0, "loss_beta": 4.0, **DECAY}
SECTIONS: Dict[str, Dict[str, Any]] = {"audio": AUDIO, "text": {**TEXT, "transformer": TRANSFORMER}}


def dictionary() -> Dictionary:
    made = Dictionary()
    for symbol in (*(f"w{number}" for number in range(WORDS)), "<mask>"):
        made.add_symbol(symbol)
    return made


def sample(kind: str, seed: int) -> Dict[str, Any]:
    """A batch with everything random in it."""
    generator = torch.Generator().manual_seed(seed)
    if kind == "audio":
        mask = torch.rand(2, FRAMES, generator=generator) < 0.5
        inputs = {"source": torch.randn(2, SAMPLES, generator=generator), "mask_indices": mask}
    else:
        words = torch.randint(4, 4 + WORDS, (2, 12), generator=generator)
        hidden = torch.rand(2, 12, generator=generator) < 0.4
        inputs = {"src_tokens": words.masked_fill(hidden, dictionary().index("<mask>")), "target_tokens": words}
    return {"id": torch.arange(2), "net_input": inputs}


def trainer(kind: str, **settings: Any) -> Any:
    """fairseq's trainer on a tiny model of whatever class is registered by the name."""
    # this eps keeps still what has no gradient but rounding: biases of keys
    cfg = config({**ADAM, "lr": [0.01], "weight_decay": 0.01, "adam_eps": 1e-4})
    cfg.lr_scheduler.lr = cfg.optimization.lr = [0.01]
    cfg.model = {**SECTIONS[kind], **settings}
    task = Task(SimpleNamespace())
    torch.manual_seed(0)
    described = SimpleNamespace(source_dictionary=dictionary(), cfg=SimpleNamespace(data=""))
    model = models.build_model(cfg.model, described)
    return Trainer(cfg, task, model, ModelCriterion(task, {}, []))


def train(run: Any, kind: str, updates: range) -> List[float]:
    """The loss of every update."""
    return [float(run.train_step([sample(kind, seed)])["loss"]) for seed in updates]


def run_upstream(what: str, folder: Path) -> None:
    """Run this file in a process of its own."""
    subprocess.run([sys.executable, __file__, what, str(folder)], check=True, timeout=120)


def train_all(folder: Path) -> None:
    for kind in SECTIONS:
        run = trainer(kind)
        first = train(run, kind, range(SAVED))
        save(run, str(folder / f"{kind}.pt"))
        losses = first + train(run, kind, range(SAVED, UPDATES))
        torch.save({"losses": losses, "model": run.get_model().state_dict()}, folder / f"{kind}_unbroken.pt")


if __name__ == "__main__":
    utils.import_user_module(Namespace(user_dir=str(EXAMPLES)))
    train_all(Path(sys.argv[2]))
    if "data2vec_plugin" in sys.modules:
        raise SystemExit("this process was to run without our package")
