"""A crash must not cost more than the updates since the last checkpoint.

fairseq writes one checkpoint file by rename and copies it over the others in place: killed while it copies, or
out of disk space, it leaves half a `checkpoint_last.pt`, from which the next start cannot go on. Often that file is
the only one there is.
"""

import contextlib
import functools
import logging
import os
import pickle
import shutil
import tempfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator, Optional, Tuple

from data2vec_compat.file_kinds import TRUNCATED, FileKind, is_old_format, other_kind
from data2vec_compat.registry import patch
from data2vec_compat.safe_load import RefusedCheckpointError, UnreadableCheckpointError, unreadable

logger = logging.getLogger(__name__)

LAST = "checkpoint_last.pt"
PREVIOUS = "checkpoint_previous.pt"
"""No name that fairseq prunes: its patterns want the numbers of epochs, updates or scores."""
UNREADABLE = (EOFError, OSError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile)


@patch(
    "checkpoint copies",
    "fairseq.file_io",
    why="checkpoint_last.pt is copied in place: a crash meanwhile leaves half a file",
)
def copy_by_rename(module: ModuleType) -> bool:
    """Copies beside the destination and renames; other file systems stay with fairseq's own way."""
    manager = module.PathManager
    stock = manager.copy

    @functools.wraps(stock)
    def copy(src_path: str, dst_path: str, overwrite: bool = False) -> Any:
        if not overwrite or not os.path.isfile(src_path) or not os.path.isdir(os.path.dirname(dst_path) or "."):
            return stock(src_path, dst_path, overwrite)
        unfinished = f"{dst_path}.tmp"
        shutil.copyfile(src_path, unfinished)
        _date_as(src_path, unfinished)
        manager.rename(unfinished, dst_path)
        return True

    manager.copy = staticmethod(copy)
    return True


@patch(
    "previous checkpoint",
    "fairseq.file_io",
    why="a new checkpoint_last.pt takes the place of the one before, often the only other checkpoint",
)
def keep_previous(module: ModuleType) -> bool:
    """Keeps the checkpoint that a new `checkpoint_last.pt` replaces, as `checkpoint_previous.pt`.

    In every training of fairseq's, as the patch above, since any may lose its only checkpoint. Sharded checkpoints
    (`checkpoint_last-shard0.pt`) are left alone: `fall_back` could not take one shard from another update.
    """
    manager = module.PathManager
    stock = manager.rename

    @functools.wraps(stock)
    def rename(src: str, dst: str) -> Any:
        if os.path.basename(dst) == LAST and os.path.isfile(dst):
            _keep(Path(dst))
        return stock(src, dst)

    manager.rename = staticmethod(rename)
    return True


@patch(
    "damaged checkpoints",
    "fairseq.checkpoint_utils",
    why="a damaged checkpoint_last.pt ends the run, though the one before it is there",
)
def fall_back(module: ModuleType) -> bool:
    """Resumes from the newest checkpoint that can be read, and says which it was."""
    _name_unreadable_files(module)
    stock = module.load_checkpoint

    @functools.wraps(stock)
    def load_checkpoint(cfg: Any, trainer: Any, **options: Any) -> Any:
        try:
            return stock(cfg, trainer, **options)
        except UnreadableCheckpointError as error:
            found = _newest_readable(cfg) if cfg.restore_file == LAST else None
            if found is None:
                raise
            logger.warning(f"{error}; going on from {found} instead")
        wanted = cfg.restore_file, cfg.finetune_from_model
        cfg.restore_file, cfg.finetune_from_model = str(found), None
        try:
            return stock(cfg, trainer, **options)
        finally:
            cfg.restore_file, cfg.finetune_from_model = wanted

    module.load_checkpoint = load_checkpoint  # type: ignore[attr-defined]
    return True


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


@contextlib.contextmanager
def _naming(key: str, folder: str) -> Iterator[None]:
    """Names the key and its folder in an error of the file system's."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        message = f"`{key}` is {folder!r}, which cannot be written ({reason}); choose another folder or free this one"
        raise type(error)(error.errno, message) from error


def _keep(last: Path) -> None:
    """Gives what `checkpoint_last.pt` holds a second name, so that it outlives it; copies no data."""
    previous, linked = last.with_name(PREVIOUS), last.with_name(f"{PREVIOUS}.tmp")
    try:
        if other_kind(last) is not None:
            return  # damaged: the one that was kept before is worth more
        source = (_twin(last) or last).resolve()
        if previous.exists() and previous.samefile(source):
            return
        with contextlib.suppress(FileNotFoundError):  # of a save that was killed
            linked.unlink()
        os.link(source, linked)
        os.replace(linked, previous)
    except (OSError, zipfile.BadZipFile) as error:  # a file system without hard links, above all
        logger.warning(f"{last} is replaced without being kept as {PREVIOUS}: {error}")


def _twin(last: Path) -> Optional[Path]:
    """A copy of `checkpoint_last.pt` under another name, which takes no more room for being kept."""
    wanted = _size_and_time(last)
    others = (path for path in last.parent.glob("checkpoint*.pt") if path.name not in (LAST, PREVIOUS))
    return next((path for path in others if path.is_file() and _size_and_time(path) == wanted), None)


def _size_and_time(path: Path) -> Tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _date_as(source: str, copied: str) -> None:
    """Gives a copy its source's time, by which `_twin` knows it."""
    found = os.stat(source)
    with contextlib.suppress(OSError):  # some network file systems refuse, which costs room at most
        os.utime(copied, ns=(found.st_atime_ns, found.st_mtime_ns))


def _name_unreadable_files(module: ModuleType) -> None:
    stock = module.load_checkpoint_to_cpu

    @functools.wraps(stock)
    def load_checkpoint_to_cpu(path: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return stock(path, *args, **kwargs)
        except (RefusedCheckpointError, UnreadableCheckpointError):
            raise  # they say it themselves
        except UNREADABLE as error:
            kind = _fault(path)
            if kind is None:
                raise
            raise unreadable(path, kind) from error

    module.load_checkpoint_to_cpu = load_checkpoint_to_cpu  # type: ignore[attr-defined]


def _fault(path: str) -> Optional[FileKind]:
    """What keeps a file from being read; None for one that is whole, and is refused for another reason."""
    if not os.path.exists(path):
        return None
    kind = other_kind(path)
    if kind is not None or is_old_format(path):
        return kind
    with zipfile.ZipFile(path) as archive:
        return TRUNCATED if archive.testzip() is not None else None


def _newest_readable(cfg: Any) -> Optional[Path]:
    """The checkpoint that was written last and is whole, apart from `checkpoint_last.pt`."""
    candidates = (path for path in Path(cfg.save_dir).glob("checkpoint*.pt") if path.name != LAST)
    newest_first = sorted(candidates, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return next((path for path in newest_first if _fault(str(path)) is None), None)
