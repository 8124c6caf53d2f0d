"""Names folders and log files that cannot be written, with their keys, before anything is built."""

import contextlib
import functools
import os
import tempfile
from types import ModuleType
from typing import Any, Iterator

from .ours import trains


def name_the_field(module: ModuleType) -> bool:
    """In data2vec trainings, reports the key of an unwritable folder, and what to do."""
    stock = module.verify_checkpoint_directory

    @functools.wraps(stock)
    def verify_checkpoint_directory(save_dir: str) -> None:
        if not trains():
            return stock(save_dir)
        with _naming("checkpoint.save_dir", save_dir):
            return stock(save_dir)

    module.verify_checkpoint_directory = verify_checkpoint_directory  # type: ignore[attr-defined]
    return True


def look_at_logs(cfg: Any) -> None:
    """Opens the log file, and writes into the folder of curves in the process that will draw them.

    Raises OSError, with the key, if one of them cannot be written.
    """
    common, training = (getattr(cfg, section, cfg) for section in ("common", "distributed_training"))  # or argparse's
    file = getattr(common, "log_file", None)
    if file:
        with _naming("common.log_file", file, "create its folder, or choose another file"):
            open(file, "ab").close()
    folder = getattr(common, "tensorboard_logdir", None)
    if folder and "://" not in folder and not getattr(training, "distributed_rank", 0):
        with _naming("common.tensorboard_logdir", folder):
            os.makedirs(folder, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()


@contextlib.contextmanager
def _naming(key: str, path: str, advice: str = "choose another folder, or make this one writable") -> Iterator[None]:
    """Context that adds the key and its path to an error of the file system."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        message = f"`{key}` is {path!r}, which cannot be written ({reason}); {advice}"
        raise type(error)(error.errno, message) from error
