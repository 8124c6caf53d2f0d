"""The jobs of a sweep are apart: in what they leave open in a process that they share, and in where they save.

fairseq opens TensorBoard's writers, a run of W&B and log files for as long as the process lives, by names that are the
same in every job: the curves of all jobs then lie in the first one's folder, one over the other. A recipe names one
save folder, from whose checkpoint a second job would go on.
"""

import functools
import logging
import os
import sys
from types import ModuleType
from typing import Any, Dict, List, Optional, Sequence, Tuple

from data2vec_compat.registry import patch

Handlers = List[Tuple[logging.Logger, logging.Handler]]


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


@patch(
    "save folders of a sweep",
    "hydra.plugins.sweeper",
    why="jobs of a sweep with one save folder go on from each other's checkpoints, or write over them",
)
def keep_apart(module: ModuleType) -> bool:
    """Compares the folders of all jobs where hydra composes them, before the first begins, whatever launches them."""
    sweeper = module.Sweeper  # type: ignore[attr-defined]
    stock = sweeper.validate_batch_is_legal

    @functools.wraps(stock)
    def validate_batch_is_legal(self: Any, batch: Sequence[Sequence[str]]) -> None:
        stock(self, batch)
        if "fairseq" in sys.modules:
            if not hasattr(self, "_save_folders"):
                self._save_folders = _SaveFolders()
            self._save_folders.compare(self, batch)

    sweeper.validate_batch_is_legal = validate_batch_is_legal
    return True


class _SaveFolders:
    """Where the jobs of a sweep save, over all its batches: some sweepers launch a job at a time."""

    def __init__(self) -> None:
        self.jobs: Dict[str, List[str]] = {}
        self.count = 0

    def compare(self, sweeper: Any, batch: Sequence[Sequence[str]]) -> None:
        """Takes note of more jobs; the same overrides once more are the same job.

        Raises:
            ConfigCompositionException: two jobs would save into one folder.
        """
        from hydra.errors import ConfigCompositionException

        loader = getattr(getattr(sweeper, "hydra_context", None), "config_loader", None) or sweeper.config_loader
        for overrides in map(list, batch):
            cfg = loader.load_sweep_config(sweeper.config, overrides)
            folder = _save_folder(cfg, self.count)
            self.count += 1
            if folder and self.jobs.setdefault(folder, overrides) != overrides:
                jobs = [self.jobs[folder], *map(list, batch), overrides]
                raise ConfigCompositionException(_shared(str(cfg.checkpoint.save_dir), jobs))


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


def _save_folder(cfg: Any, number: int) -> Optional[str]:
    """The absolute folder in which a job will save; None where it will not, or where that is not known yet."""
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict
    from omegaconf.errors import OmegaConfBaseException

    instance = HydraConfig.instance()
    before = instance.cfg
    try:
        with open_dict(cfg.hydra):
            cfg.hydra.job.num, cfg.hydra.job.id = number, f"job_id_{number}"
        # first: omegaconf 2.0 resolves ${hydra:job.num} by a mere look for the key, and only once
        instance.set_config(cfg)
        if "checkpoint" not in cfg or "save_dir" not in cfg.checkpoint or cfg.checkpoint.no_save:
            return None
        stays = "chdir" in cfg.hydra.job and cfg.hydra.job.chdir is False  # hydra 1.0 has no such key
        stands = "" if stays else os.path.join(str(cfg.hydra.sweep.dir), str(cfg.hydra.sweep.subdir))
        return os.path.realpath(os.path.join(stands, cfg.checkpoint.save_dir))
    except OmegaConfBaseException:
        return None
    finally:
        instance.cfg = before


def _shared(folder: str, jobs: List[List[str]]) -> str:
    """What to say of the first and the last of some jobs, with what all of them differ in as the folder's name."""
    first, last = ([word for word in job if not all(word in other for other in jobs)] for job in (jobs[0], jobs[-1]))
    names = []
    for key, _, value in (word.lstrip("+").partition("=") for word in last):
        if "." in key and "/" not in key and key != "checkpoint.save_dir":  # else a group, which has no value to show
            names.append(f"${{{key}.0}}" if value.startswith("[") else f"${{{key}}}")
    return (
        f"two jobs of this sweep would save into `checkpoint.save_dir` {folder!r}, {' '.join(first)} and "
        f"{' '.join(last)}, and go on from each other's checkpoints: give each job a folder of its own, "
        f"as checkpoint.save_dir='{folder}/{'-'.join(names) or '${hydra:job.num}'}' does"
    )
