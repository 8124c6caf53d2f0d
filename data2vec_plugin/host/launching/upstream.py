"""The composite optimizer: main's recipes say `dynamic_groups`, and two of them in one process share their groups."""

import dataclasses
import functools
from types import ModuleType
from typing import Any

from data2vec_compat.registry import patch


@patch(
    "dynamic groups",
    "fairseq.optim.composite",
    why="recipes for fairseq's main branch say `dynamic_groups: true`, a key that the release does not know",
)
def accept_dynamic_groups(module: ModuleType) -> bool:
    """Adds the key where it lacks.

    Main makes a group for each set of overrides that parameters carry. In the release they carry none, so that the
    groups by name, which it always makes, are all that there are.
    """
    stock = module.CompositeOptimizerConfig
    if any(field.name == "dynamic_groups" for field in dataclasses.fields(stock)):
        return False
    from fairseq.optim import OPTIMIZER_DATACLASS_REGISTRY
    from hydra.core.config_store import ConfigStore

    key = dataclasses.field(default=False, metadata={"help": "as in fairseq's main branch"})
    config: Any = dataclasses.make_dataclass(stock.__name__, [("dynamic_groups", bool, key)], bases=(stock,))
    config.__module__ = module.__name__  # so that a copy in a checkpoint is found again
    module.CompositeOptimizerConfig = config  # type: ignore[attr-defined]
    OPTIMIZER_DATACLASS_REGISTRY["composite"] = config
    node = config()
    node._name = "composite"
    ConfigStore.instance().store(name="composite", group="optimizer", node=node, provider="fairseq")
    return True


@patch(
    "composite groups",
    "fairseq.optim.composite",
    why="composite optimizers keep their groups in the class: a second one in a process steps the first one's, too",
)
def own_groups(module: ModuleType) -> bool:
    """Gives every composite optimizer dicts of its own."""
    optimizer = module.FairseqCompositeOptimizer
    stock = optimizer.__init__

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.optimizers, self.lr_schedulers = {}, {}
        stock(self, *args, **kwargs)

    optimizer.__init__ = init
    return True
