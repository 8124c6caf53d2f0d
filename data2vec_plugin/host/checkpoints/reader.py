"""Checkpoints of other implementations and other models, on their way from the file into fairseq's trainer."""

from __future__ import annotations

import functools
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Callable, Dict, Optional

from .foreign_state import adopt_optimizer, has_layouts

Adapt = Callable[[str, Dict[str, Any]], None]
_adapt: ContextVar[Optional[Adapt]] = ContextVar("adapt", default=None)


def adapt_checkpoints(trainer_module: ModuleType, loader_module: ModuleType) -> None:
    """Wrap ``load_checkpoint`` of the trainer and the function by which it reads a file; harmless when done twice.

    The trainer reads, loads and forgets within one method, so what it reads is changed under its hands. In a run of
    several processes one reads, and the others get what it made of it.
    """
    trainer = trainer_module.Trainer
    stock, read = trainer.load_checkpoint, loader_module.load_checkpoint_to_cpu
    if getattr(trainer, "adapts_checkpoints", False):
        return
    trainer.adapts_checkpoints = True

    @functools.wraps(stock)
    def load_checkpoint(self: Any, filename: str, reset_optimizer: bool = False, *args: Any, **kwargs: Any) -> Any:
        if not has_layouts(self.get_model()):
            return stock(self, filename, reset_optimizer, *args, **kwargs)
        if self.data_parallel_world_size > 1:
            # the optimizer is built on top of the wrapped model, which the processes wrap together or never
            self.model  # noqa: B018
        before = _adapt.set(functools.partial(adapt, self, reset_optimizer))
        try:
            return stock(self, filename, reset_optimizer, *args, **kwargs)
        finally:
            _adapt.reset(before)

    @functools.wraps(read)
    def load_checkpoint_to_cpu(path: str, *args: Any, **kwargs: Any) -> Any:
        state, change = read(path, *args, **kwargs), _adapt.get()
        if change is not None:
            change(path, state)
        return state

    trainer.load_checkpoint = load_checkpoint
    loader_module.load_checkpoint_to_cpu = load_checkpoint_to_cpu  # type: ignore[attr-defined]


def adapt(trainer: Any, anew: bool, path: str, state: Dict[str, Any]) -> None:
    """Make a checkpoint fit the trainer, in place; ``anew`` if a new run begins with its weights."""
    model = trainer.get_model()
    if hasattr(model, "begin_with"):
        model.begin_with(path, state, anew)
    if not anew:
        adopt_optimizer(trainer, path, state)
