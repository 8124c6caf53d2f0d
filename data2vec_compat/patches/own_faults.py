"""Fixes for faults of fairseq itself, on any Python and torch: exceptions, aborts, state shared by two trainings.

fairseq fills its buffer in a daemon thread, which Python ends with the process at any point. Inside torch that aborts
with `terminate called without an active exception` after everything has been trained and saved, and the exit code
reports a failure. Runs that stop within an epoch and use no loader workers are affected.
"""

import atexit
import copy
import functools
import logging
import os
import queue
import threading
import time
from types import ModuleType
from typing import Any, Iterable, Iterator
from weakref import WeakSet

from data2vec_compat.registry import patch

PATIENCE = 10.0
"""Seconds to wait for a batch that is being loaded."""

_ending = threading.Event()
_consumers: "WeakSet[Any]" = WeakSet()


@patch(
    "loader thread",
    "fairseq.data.iterators",
    why="a run that stops within an epoch may abort when its process ends: the loading thread is killed inside torch",
)
def finish_loading(module: ModuleType) -> bool:
    """Lets the thread finish its batch, and load no further one, before the process ends."""
    consumer = module.BackgroundConsumer
    stock = consumer.run

    @functools.wraps(stock)
    def run(self: Any) -> None:
        _consumers.add(self)
        self._source = _until_the_end(self._source)
        stock(self)

    consumer.run = run
    atexit.register(end)
    return True


def _until_the_end(source: Iterable[Any]) -> Iterator[Any]:
    for item in source:
        yield item
        if _ending.is_set():
            return


def end() -> None:
    """Stops all loading threads and waits for them."""
    _ending.set()
    latest = time.monotonic() + PATIENCE
    for consumer in list(_consumers):
        while consumer.is_alive() and time.monotonic() < latest:
            try:
                consumer._queue.get_nowait()  # the thread may be waiting for space in the queue
            except queue.Empty:
                consumer.join(0.02)


@patch(
    "short runs",
    "fairseq.optim.lr_scheduler.tri_stage_lr_scheduler",
    why="a tri_stage schedule with phase_ratio raises ZeroDivisionError in runs of a few updates",
)
def leave_a_decay(module: ModuleType) -> bool:
    """Gives the last phase one update if rounding left it none."""
    scheduler = module.TriStageLRSchedule
    stock = scheduler.__init__

    @functools.wraps(stock)
    def init(self: Any, cfg: Any, optimizer: Any) -> None:
        stock(self, _with_a_decay(cfg), optimizer)

    scheduler.__init__ = init
    return True


def _with_a_decay(cfg: Any) -> Any:
    ratio = cfg.phase_ratio
    if ratio is None or int(cfg.max_update * ratio[2]) > 0:
        return cfg
    cfg = copy.deepcopy(cfg)
    cfg.warmup_steps, cfg.hold_steps, cfg.decay_steps = int(cfg.max_update * ratio[0]), 0, 1
    cfg.hold_steps = max(int(cfg.max_update) - cfg.warmup_steps - 1, 0)
    cfg.phase_ratio = None
    return cfg


@patch(
    "averaged integers",
    "fairseq.models.ema.ema",
    why="ema.store_ema raises RuntimeError for a model with an integer in its state dict",
)
def skip_integers(module: ModuleType) -> bool:
    """Copies tensors that are not floating-point, as fairseq does with skipped keys."""
    torch = module.torch
    stock = module.EMA.__init__

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, *args, **kwargs)
        state = self.model.state_dict().items()
        integers = {name for name, value in state if torch.is_tensor(value) and not value.is_floating_point()}
        self.skip_keys = {*self.skip_keys, *integers}

    module.EMA.__init__ = init
    return True


@patch(
    "composite groups",
    "fairseq.optim.composite",
    why="composite optimizers keep their groups in the class: a second one in a process also steps those of the first",
)
def own_groups(module: ModuleType) -> bool:
    """Gives each composite optimizer its own dicts."""
    optimizer = module.FairseqCompositeOptimizer
    stock = optimizer.__init__

    @functools.wraps(stock)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        self.optimizers, self.lr_schedulers = {}, {}
        stock(self, *args, **kwargs)

    optimizer.__init__ = init
    return True


@patch(
    "log level",
    "fairseq.models.wav2vec",
    why="a model of fairseq's main branch sets the level of all logs to DEBUG when it is imported",
)
def not_for_debugging(module: ModuleType) -> bool:
    """Sets the level that fairseq's commands have, unless LOGLEVEL requests DEBUG."""
    root = logging.getLogger()
    sets = hasattr(module, "wav2vec2_classification") and root.level == logging.DEBUG
    if not sets or os.environ.get("LOGLEVEL", "").upper() == "DEBUG":
        return False
    root.setLevel(logging.INFO)
    return True
