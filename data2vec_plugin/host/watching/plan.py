"""What a run will do: how much data, how many updates, how much memory."""

from __future__ import annotations

import math
import resource
import sys
from itertools import chain
from typing import Any, List

import numpy as np
import torch

from ...preflight.resources import memory_line
from .task import Extent


def plan(trainer: Any, iterator: Any) -> List[str]:
    """Return what this run will do, a line each: model, data, update, run, memory."""
    cfg, task = trainer.cfg, trainer.task
    dataset = task.dataset(cfg.dataset.train_subset)
    indices = np.fromiter(chain.from_iterable(iterator.frozen_batches), np.int64)
    extent: Extent = task.extent(dataset, indices)
    left_out = len(dataset) - len(indices)
    processes, freq = trainer.data_parallel_world_size, cfg.optimization.update_freq[-1]
    updates_per_epoch = updates_in_epoch(cfg, iterator)
    per_update = extent.amount / updates_per_epoch
    done, goal = trainer.get_num_updates(), goal_updates(cfg, updates_per_epoch)
    return [
        model_line(trainer),
        f"data: {extent} ({cfg.dataset.train_subset})"
        + (f"; {left_out:,} more are left out, too short or too long" if left_out > 0 else ""),
        f"update: {processes} process{'' if processes == 1 else 'es'} × {freq} micro-batches of {batch_limit(cfg)}, "
        f"{per_update:,.4g} {extent.unit} on average; {updates_per_epoch:,} updates an epoch",
        f"run: {goal:,} updates, {goal / updates_per_epoch:,.1f} epochs, {goal * per_update:,.4g} {extent.unit}"
        + (f"; {done:,} are done, {max(goal - done, 0):,} to go" if done else ""),
        memory_line(trainer.get_model(), cfg),
    ]


def model_line(trainer: Any) -> str:
    """Return the plan's line on the model, its parameters, its precision and its device."""
    parameters = list(trainer.model.parameters())
    every, trained = (sum(p.numel() for p in some) for some in (parameters, [p for p in parameters if p.requires_grad]))
    common = trainer.cfg.common
    precision = next((name for name in ("fp16", "bf16", "amp") if getattr(common, name, False)), "fp32")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() and not common.cpu else "CPU"
    return (
        f"model: {trainer.cfg.model._name}, {every:,} parameters, "
        f"{'all' if trained == every else f'{trained:,}'} trained; {precision} on {device}"
    )


def updates_in_epoch(cfg: Any, iterator: Any) -> int:
    """Return the updates of an epoch, for the iterator over one process's batches."""
    return math.ceil(max(len(iterator), 1) / cfg.optimization.update_freq[-1])


def goal_updates(cfg: Any, updates_per_epoch: int) -> int:
    """Return the update at which the run ends, by `max_update` or `max_epoch`, whichever is first; 0 without either."""
    epochs, updates = cfg.optimization.max_epoch, cfg.optimization.max_update
    ends = [updates] if updates else []
    if epochs:
        ends.append(epochs * updates_per_epoch)
    return min(ends, default=0)


def batch_limit(cfg: Any) -> str:
    """Return what bounds a micro-batch, for a message."""
    dataset = cfg.dataset
    bounds = [f"{dataset.max_tokens:,} tokens"] if dataset.max_tokens else []
    if dataset.batch_size:
        bounds.append(f"{dataset.batch_size:,} items")
    return "at most " + " and ".join(bounds)


def peak_memory() -> float:
    """Return the most bytes that this process has used: on the GPU if it uses one, else in total."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return float(torch.cuda.max_memory_allocated())
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
