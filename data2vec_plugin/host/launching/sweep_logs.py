"""Closes the logs of each job of a sweep, since jobs share a process, so that nothing reaches the next job.

fairseq opens TensorBoard's writers, a run of W&B and log files for the lifetime of the process, under the same names
for every job: the curves of all jobs would be mixed in the first one's folder. The best score of one job would also be
kept for the next.
"""

import contextlib
import logging
import os
import sys
from typing import Any, Iterator, List, Tuple

Handlers = List[Tuple[logging.Logger, logging.Handler]]


def forget_best(module: Any) -> None:
    """Starts a training without the scores of the one before it."""
    for function in (module.checkpoint_utils.save_checkpoint, module.should_stop_early):
        vars(function).pop("best", None)


class JobLogs:
    """The curves and log files of our trainings in this process, one after another."""

    def __init__(self, module: Any) -> None:
        self._module, self._run, self._has_drawn = module, _OwnRun(), False

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Ends the curves of our previous training when another begins, and the log files of each when it is over.

        A W&B run that was open before the training is left to its owner.
        """
        if self._has_drawn:
            _end_curves(self._module.progress_bar)
        self._run.end()
        before, handlers = _run_of_wandb(), _file_handlers(self._module)
        self._has_drawn, failed = True, True
        try:
            yield
            failed = False
        finally:
            if before is None:
                self._run.run, self._run.failed = _run_of_wandb(), failed
            for logger, handler in _file_handlers(self._module):
                if (logger, handler) not in handlers:
                    logger.removeHandler(handler)
                    handler.close()


def is_open(logger: logging.Logger, path: str) -> bool:
    """Whether a logger writes to a log file."""
    return os.path.abspath(path) in [getattr(handler, "baseFilename", None) for handler in logger.handlers]


class _OwnRun:
    """The run of W&B that our last training has opened, and how that ended."""

    run: Any = None
    failed = False

    def end(self) -> None:
        if self.run is not None and self.run is _run_of_wandb():
            sys.modules["wandb"].finish(exit_code=int(self.failed))
        self.run = None


def _run_of_wandb() -> Any:
    """The open W&B run; None if there is none or wandb has not been imported."""
    return getattr(sys.modules.get("wandb"), "run", None)


def _end_curves(progress_bar: Any) -> None:
    """Closes TensorBoard's writers, and drops Aim's runs, which end when they are no longer referenced."""
    for writer in progress_bar._tensorboard_writers.values():
        writer.close()
    progress_bar._tensorboard_writers.clear()
    cached = getattr(getattr(progress_bar, "get_aim_run", None), "cache_clear", None)
    if cached is not None:
        cached()


def _file_handlers(module: Any) -> Handlers:
    """The log files of the two loggers to which fairseq adds some."""
    loggers = (module.logger, module.progress_bar.logger)
    return [(logger, each) for logger in loggers for each in logger.handlers if isinstance(each, logging.FileHandler)]
