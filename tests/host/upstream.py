"""Upstream's own data2vec, as the installed fairseq ships it, in a process without our package.

``python upstream.py FOLDER`` trains tiny models of speech and text with fairseq's trainer: for each a checkpoint after
SAVED updates, and the weights and losses at the end of all. Then it loads checkpoints of ours that it finds there, and
writes what it makes of them. This module imports nothing of ours.
"""

from __future__ import annotations

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
from omegaconf import OmegaConf
from torch import Tensor

sys.path.append(str(Path(__file__).resolve().parents[1]))

import forks
from host.bare_trainer import ADAM, Task, config, save

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


def trainer(kind: str, trainer_class: Any = Trainer, **settings: Any) -> Any:
    """A trainer on a tiny model of whatever class is registered by the name."""
    # this eps keeps still what has no gradient but rounding: biases of keys
    cfg = config({**ADAM, "lr": [0.01], "weight_decay": 0.01, "adam_eps": 1e-4})
    cfg.lr_scheduler.lr = cfg.optimization.lr = [0.01]
    cfg.model = {**SECTIONS[kind], **settings}
    OmegaConf.set_struct(cfg.model, True)  # fairseq asks for keys that it may lack
    task = Task(SimpleNamespace())
    torch.manual_seed(0)
    described = SimpleNamespace(source_dictionary=dictionary(), cfg=SimpleNamespace(data=""))
    model = models.build_model(cfg.model, described)
    return trainer_class(cfg, task, model, ModelCriterion(task, {}, []))


def train(run: Any, kind: str, updates: range) -> List[float]:
    """The loss of every update."""
    return [float(run.train_step([sample(kind, seed)])["loss"]) for seed in updates]


def run_upstream(folder: Path) -> None:
    """Run this file in a process of its own."""
    done = forks.python([__file__, str(folder)], timeout=120)
    assert done.returncode == 0, done.stderr


@torch.no_grad()
def features(model: Any, kind: str, padded: bool) -> Tensor:
    """Of a batch, or of one whose last row is shorter, where it is not padding."""
    inputs = sample(kind, 7)["net_input"]
    whole = inputs["source" if kind == "audio" else "src_tokens"]
    end = whole.size(1) * 2 // 3 if padded else whole.size(1)
    whole[-1, end:] = 0 if kind == "audio" else dictionary().pad()
    if kind == "text":
        features: Tensor = model.eval()(whole, features_only=True)[0]
    else:
        mask = torch.zeros(whole.shape, dtype=torch.bool)
        mask[-1, end:] = True
        features = model.eval().extract_features(whole, padding_mask=mask)["x"]
    return torch.cat([*features[:-1], features[-1, : features.size(1) * end // whole.size(1) - 1]])


def train_all(folder: Path) -> None:
    for kind in SECTIONS:
        run = trainer(kind)
        first = train(run, kind, range(SAVED))
        save(run, str(folder / f"{kind}.pt"))
        losses = first + train(run, kind, range(SAVED, UPDATES))
        torch.save({"losses": losses, "model": run.get_model().state_dict()}, folder / f"{kind}_unbroken.pt")


def load_all(folder: Path) -> None:
    for path in folder.glob("*_ours.pt"):
        kind = path.stem.partition("_")[0]
        run = trainer(kind)
        model = run.get_model()
        if kind == "audio":
            run.load_checkpoint(str(path), reset_optimizer=True)
        else:  # its own method stops at an attribute that is nowhere set
            model.set_num_updates(SAVED)
            torch.nn.Module.load_state_dict(model, torch.load(path, weights_only=False)["model"], strict=True)
        found = {padded: features(model, kind, padded) for padded in (False, True)}
        torch.save({"features": found, "model": model.state_dict()}, folder / f"{kind}_loaded.pt")


if __name__ == "__main__":
    utils.import_user_module(Namespace(user_dir=str(EXAMPLES)))
    train_all(Path(sys.argv[1]))
    load_all(Path(sys.argv[1]))
    if "data2vec_plugin" in sys.modules:
        raise SystemExit("this process was to run without our package")
