"""Jobs of a sweep share a process, and what they leave open or behind in it must not reach the next one.

fairseq opens TensorBoard's writers, a run of W&B and log files for as long as the process lives, by names that are the
same in every job: the curves of all jobs then lie in the first one's folder, one over the other. The best score of one
job is the next one's to beat.
"""

import functools
import logging
import os
import sys
from types import ModuleType
from typing import Any, List, Tuple

from data2vec_compat.registry import patch

Handlers = List[Tuple[logging.Logger, logging.Handler]]


@patch(
    "best score between jobs",
    "fairseq_cli.train",
    why="the best validation score of one job decides the next one's, in a sweep",
)
def forget_best(module: ModuleType) -> bool:
    """Starts each training of a process without the scores of the one before."""
    stock = module.main

    @functools.wraps(stock)
    def main(*args: Any, **kwargs: Any) -> Any:
        for function in (module.checkpoint_utils.save_checkpoint, module.should_stop_early):
            vars(function).pop("best", None)
        return stock(*args, **kwargs)

    module.main = main  # type: ignore[attr-defined]
    return True


@patch(
    "logs between jobs",
    "fairseq_cli.train",
    why="curves and log lines of a sweep's later jobs go to the first one's TensorBoard folder, W&B run and log file",
)
def end_logs(module: ModuleType) -> bool:
    """Ends the curves of the training before when another begins, and the log files of each when it is over.

    A run of W&B that was there before fairseq's training is its owner's to end.
    """
    stock, ours = module.main, _OwnRun()

    @functools.wraps(stock)
    def main(*args: Any, **kwargs: Any) -> Any:
        _end_curves(module.progress_bar)
        ours.end()
        before, handlers = _run_of_wandb(), _file_handlers(module)
        failed = True
        try:
            result = stock(*args, **kwargs)
            failed = False
            return result
        finally:
            if before is None:
                ours.run, ours.failed = _run_of_wandb(), failed
            for logger, handler in _file_handlers(module):
                if (logger, handler) not in handlers:
                    logger.removeHandler(handler)
                    handler.close()

    module.main = main  # type: ignore[attr-defined]
    return True


@patch(
    "log file",
    "fairseq.logging.progress_bar",
    why="every epoch opens `common.log_file` once more, and writes each line as often as it is open",
)
def open_once(module: ModuleType) -> bool:
    """Opens a log file only if it is not open."""
    stock = module.progress_bar

    @functools.wraps(stock)
    def progress_bar(*args: Any, log_file: Any = None, **kwargs: Any) -> Any:
        opened = (getattr(handler, "baseFilename", None) for handler in module.logger.handlers)
        if log_file is not None and os.path.abspath(log_file) in opened:
            log_file = None
        return stock(*args, log_file=log_file, **kwargs)

    module.progress_bar = progress_bar  # type: ignore[attr-defined]
    return True


class _OwnRun:
    """The run of W&B that fairseq's last training has opened, and how that ended."""

    run: Any = None
    failed = False

    def end(self) -> None:
        if self.run is not None and self.run is _run_of_wandb():
            sys.modules["wandb"].finish(exit_code=int(self.failed))
        self.run = None


def _run_of_wandb() -> Any:
    """The run that is open; None without one, and where nobody has imported wandb."""
    return getattr(sys.modules.get("wandb"), "run", None)


def _end_curves(progress_bar: Any) -> None:
    """Closes TensorBoard's writers, and forgets Aim's runs, which end when nobody holds them."""
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
