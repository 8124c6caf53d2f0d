"""Wraps fairseq's training of one configuration if the configuration is ours."""

import functools
from types import ModuleType
from typing import Any

from .option_names import TRAINING_GROUPS, options_named
from .ours import is_ours, training
from .sweep_logs import JobLogs, forget_best
from .writable_folders import look_at_logs


def surround(module: ModuleType) -> bool:
    """Wraps `fairseq_cli.train.main`, which each process of a training runs; other configurations go straight to it."""
    stock, logs = module.main, JobLogs(module)

    @functools.wraps(stock)
    def main(cfg: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_ours(cfg):
            return stock(cfg, *args, **kwargs)
        look_at_logs(cfg)
        forget_best(module)
        with training(), logs.apart(), options_named(cfg, TRAINING_GROUPS):
            return stock(cfg, *args, **kwargs)

    module.main = main  # type: ignore[attr-defined]
    return True
