"""fairseq's trainer for data2vec runs: resumes from other code's checkpoints, logs its plan, stops all processes
together."""

from __future__ import annotations

import functools
import logging
from typing import Any, Dict, List, Optional, Tuple

from fairseq.trainer import Trainer

from ...data.bad_files import BadFileError
from ...preflight.resources import GIB
from ...runs.run_log import keep_log
from ..checkpoints.foreign_state import adapt, build_together
from ..checkpoints.reader import reading_for
from ..checkpoints.resuming import mismatch_explained, newest_readable, refuse_missing, tell_other_seed
from ..examining.before_runs import before_training
from ..our_runs import is_ours
from ..watching.best_checkpoint import kept_the_wrong_way
from ..watching.console import is_readable, log_configuration
from ..watching.plan import model_line, peak_memory, plan
from ..watching.task import WatchedTask, faults_explained, let_observe
from ..watching.together import listen, stop_together, stops_together
from .average import WeightAverage
from .freed_memory import keep_freed_memory
from .joint_adam import step_jointly
from .optimizer import group_parameters

logger = logging.getLogger(__name__)


class Data2VecTrainer(Trainer):
    """Each method is fairseq's own, with our additions before or after it; plans are logged for our tasks only."""

    announced = measured = False
    bad_file: Optional[BadFileError] = None
    """The error of too many bad files in this process, if several train; see :mod:`..watching.together`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.cuda:
            keep_freed_memory()

    def _build_optimizer(self) -> None:
        super()._build_optimizer()
        step_jointly(self._optimizer)
        group_parameters(self)

    def _build_ema(self) -> None:
        if self.cfg.ema.store_ema:
            self._ema = WeightAverage(self._model, self.cfg.ema, self.device)

    def get_train_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """Return the batches of an epoch; at the first call, log the plan and check the data."""
        iterator = listen(self, super().get_train_iterator(*args, **kwargs))
        if isinstance(self.task, WatchedTask) and not self.announced:
            self.announced = True
            announce(self, iterator)
        return iterator

    def get_valid_iterator(self, *args: Any, **kwargs: Any) -> Any:
        """Return the batches of a validation."""
        return listen(self, super().get_valid_iterator(*args, **kwargs))

    def train_step(self, samples: Any, *args: Any, **kwargs: Any) -> Any:
        """Make an update; raises NonFiniteError, with settings to change, if gradients are NaN or infinite."""
        with faults_explained(self, samples):
            output = super().train_step(samples, *args, **kwargs)
        if isinstance(self.task, WatchedTask) and output is not None and not self.measured:
            self.measured = True
            logger.info(f"memory: {peak_memory() / GIB:.2f} GiB at the peak of the first update")
        return output

    def load_checkpoint(self, filename: str, reset_optimizer: bool = False, *args: Any, **kwargs: Any) -> Any:
        """Resume from a checkpoint, or start from its weights with ``reset_optimizer``; raises ValueError if it cannot.

        A damaged `checkpoint_last.pt` is replaced by the newest one that can be read.
        """
        refuse_missing(self, filename)
        return newest_readable(self, filename, lambda path: self._load(path, reset_optimizer, *args, **kwargs))

    def _load(self, path: str, reset_optimizer: bool, *args: Any, **kwargs: Any) -> Any:
        build_together(self)
        with mismatch_explained(self, path), reading_for(functools.partial(self._take_up, reset_optimizer)):
            loaded = super().load_checkpoint(path, reset_optimizer, *args, **kwargs)
        if loaded is not None and isinstance(self.task, WatchedTask):
            self.task.check_checkpoint(path)
        return loaded

    def _take_up(self, anew: bool, path: str, state: Dict[str, Any]) -> None:
        """Adapt the state that was read, in place."""
        adapt(self, anew, path, state)
        if not anew:
            tell_other_seed(self, path, state)

    def _aggregate_logging_outputs(self, logs: Any, *stats: Any, ignore: bool = False) -> Tuple[Any, List[Any]]:
        if not stops_together(self):
            return super()._aggregate_logging_outputs(logs, *stats, ignore=ignore)  # type: ignore[no-any-return]
        stopping = int(self.bad_file is not None)
        logs, (*sums, stopping) = super()._aggregate_logging_outputs(logs, *stats, stopping, ignore=ignore)
        if stopping:
            stop_together(self)
        return logs, sums

    def _reduce_and_log_stats(self, logging_outputs: Any, *args: Any, **kwargs: Any) -> Any:
        logged = super()._reduce_and_log_stats(logging_outputs, *args, **kwargs)
        if logging_outputs is not None and not isinstance(self.task, WatchedTask):  # which does it itself
            let_observe(self.get_criterion(), logging_outputs)
        return logged


def build_trainer(stock: Any, cfg: Any, task: Any, model: Any, *args: Any, **kwargs: Any) -> Any:
    """Build the trainer for `fairseq_cli.train`: ours if the run is ours, else fairseq's own."""
    chosen = Data2VecTrainer if is_ours(task, model) else stock
    trainer = chosen(cfg, task, model, *args, **kwargs)
    if is_readable() and not isinstance(task, WatchedTask):  # whose plan begins with this line
        logger.info(model_line(trainer))
    return trainer


def announce(trainer: Any, iterator: Any) -> None:
    """Log the plan once the training data is loaded, keep the log next to the checkpoints, and check the data."""
    if trainer.data_parallel_rank == 0:
        log = keep_log(trainer.cfg.checkpoint)
        log_configuration()
        for line in plan(trainer, iterator):
            logger.info(line)
        if log is not None:
            logger.info(f"log: {log}, with the whole configuration, the model, and all statistics")
        fault = kept_the_wrong_way(trainer.cfg.checkpoint)
        if fault:
            logger.warning(fault)
    before_training(trainer)
