"""Folders that cannot be written are named with their key, before anything is built."""

import contextlib
import functools
import os
import tempfile
from types import ModuleType
from typing import Any, Iterator

from data2vec_compat.registry import patch


@patch(
    "save folder",
    "fairseq.checkpoint_utils",
    why="a save folder that cannot be written ends in an error that names no field",
)
def name_the_field(module: ModuleType) -> bool:
    """Says which key holds the folder, and what to do."""
    stock = module.verify_checkpoint_directory

    @functools.wraps(stock)
    def verify_checkpoint_directory(save_dir: str) -> None:
        with _naming("checkpoint.save_dir", save_dir):
            stock(save_dir)

    module.verify_checkpoint_directory = verify_checkpoint_directory  # type: ignore[attr-defined]
    return True


@patch(
    "curves folder",
    "fairseq_cli.train",
    why="a TensorBoard folder that cannot be written ends the run at its first log, in an error that names no field",
)
def look_at_curves(module: ModuleType) -> bool:
    """Writes into the folder of curves before anything is built, in the process that will draw them."""
    stock = module.main

    @functools.wraps(stock)
    def main(cfg: Any, *args: Any, **kwargs: Any) -> Any:
        common, training = (
            getattr(cfg, section, cfg) for section in ("common", "distributed_training")
        )  # or argparse's
        folder = getattr(common, "tensorboard_logdir", None)
        if folder and "://" not in folder and not getattr(training, "distributed_rank", 0):
            with _naming("common.tensorboard_logdir", folder):
                os.makedirs(folder, exist_ok=True)
                tempfile.TemporaryFile(dir=folder).close()
        return stock(cfg, *args, **kwargs)

    module.main = main  # type: ignore[attr-defined]
    return True


@contextlib.contextmanager
def _naming(key: str, folder: str) -> Iterator[None]:
    """Names the key and its folder in an error of the file system's."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        message = f"`{key}` is {folder!r}, which cannot be written ({reason}); choose another folder or free this one"
        raise type(error)(error.errno, message) from error
