"""The real trainer on a model of three layers, for the tests of this folder."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Dict, List

import torch
from fairseq.criterions import FairseqCriterion
from fairseq.models import BaseFairseqModel
from fairseq.optim import OPTIMIZER_DATACLASS_REGISTRY
from host.bare_trainer import ADAM, Task
from torch import Tensor, nn

from data2vec_plugin.core.update_rules import UpdateRule, update_rules
from data2vec_plugin.host.training.trainer import Data2VecTrainer

GROUP = {"optimizer": {**ADAM, "lr": None}, "lr_scheduler": {"_name": "fixed", "lr": None}}
COMPOSITE = {"_name": "composite", "groups": {"default": {"lr_float": 0.25, **GROUP}}}
if "dynamic_groups" in OPTIMIZER_DATACLASS_REGISTRY["composite"].__dataclass_fields__:
    COMPOSITE["dynamic_groups"] = True  # as main's recipes say, which the release does not know
LAYERS, DECAY = 2, 0.5


class Model(BaseFairseqModel):
    """An embedding, two layers and a head; every parameter adds to the output, so that each has a gradient."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Linear(4, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(LAYERS))
        self.table = nn.Parameter(torch.randn(2, 4))
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.embedding(x)) + self.table.sum(0)
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        logits: Tensor = self.head(x)
        return logits

    def update_rules(self) -> Dict[str, UpdateRule]:
        return update_rules(self.named_parameters(), LAYERS, DECAY, ("embedding.",), ("table",))


class PlainModel(Model):
    @property
    def update_rules(self) -> Any:  # type: ignore[override]
        raise AttributeError("a model of somebody else's has none")


class Criterion(FairseqCriterion):
    def forward(self, model: Any, sample: Dict[str, Any], reduce: bool = True) -> Any:
        logits = model(sample["net_input"]["x"])
        loss = (logits.float() - sample["target"]).square().sum()
        count = len(logits)
        return loss, count, {"loss": loss.detach(), "ntokens": count, "nsentences": count, "sample_size": count}

    @staticmethod
    def reduce_metrics(logging_outputs: List[Dict[str, Any]]) -> None:
        """Nothing to log."""

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        return True


def trainer(cfg: Any, model: Any = None) -> Any:
    task = Task(SimpleNamespace())
    return Data2VecTrainer(cfg, task, Model() if model is None else model, Criterion(task))


def sample(seed: int) -> Dict[str, Any]:
    generator = torch.Generator().manual_seed(seed)
    x, target = (torch.randn(3, size, generator=generator) for size in (4, 2))
    return {"id": torch.arange(3), "net_input": {"x": x}, "target": target}


def train(run: Any, seeds: Any) -> None:
    for seed in seeds:
        run.train_step([sample(seed)])


def values(run: Any) -> Dict[str, Tensor]:
    """What the optimizer holds, by the name of the parameter: in half precision the fp32 copies."""
    model = run.get_model()
    names = [name for name, _ in model.named_parameters()]
    copies = getattr(run.optimizer, "fp32_params", list(model.parameters()))
    if isinstance(copies, dict):
        flat = next(iter(copies.values())).data
        copies = [
            part.view_as(p) for part, p in zip(flat.split([p.numel() for p in model.parameters()]), model.parameters())
        ]
    return {name: copy.detach().clone() for name, copy in zip(names, copies)}
