"""A checkpoint whose bytes are not those that were written is found before it is loaded, and passed over."""

import functools
import logging
import os
import pickle
import zipfile
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Optional

from data2vec_compat.file_kinds import AGAIN, FileKind, is_old_format, other_kind
from data2vec_compat.patches.checkpoint_files import LAST
from data2vec_compat.registry import patch
from data2vec_compat.safe_load import RefusedCheckpointError, UnreadableCheckpointError, unreadable

logger = logging.getLogger(__name__)

UNREADABLE = (EOFError, OSError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile)
_BLOCK = 2**20


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
            if cfg.restore_file != LAST:
                raise
            return _go_on(stock, cfg, trainer, options, error)

    module.load_checkpoint = load_checkpoint  # type: ignore[attr-defined]
    return True


def _go_on(stock: Any, cfg: Any, trainer: Any, options: Dict[str, Any], error: UnreadableCheckpointError) -> Any:
    """Load the newest of the other checkpoints that can be read; raises the first error if there is none."""
    wanted, first = (cfg.restore_file, cfg.finetune_from_model), error
    for path in _newest_first(cfg):
        logger.warning(f"{error}; going on from {path} instead")
        cfg.restore_file, cfg.finetune_from_model = str(path), None
        try:
            return stock(cfg, trainer, **options)
        except UnreadableCheckpointError as another:
            error = another
        finally:
            cfg.restore_file, cfg.finetune_from_model = wanted
    raise first


def _newest_first(cfg: Any) -> List[Path]:
    """The checkpoints of a run, the one that was written last in front, apart from `checkpoint_last.pt`."""
    others = (path for path in Path(cfg.save_dir).glob("checkpoint*.pt") if path.name != LAST)
    return sorted(others, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _name_unreadable_files(module: ModuleType) -> None:
    """Asks each file that is loaded, in the process that loads it, whether its bytes are those that were written."""
    stock = module.load_checkpoint_to_cpu

    @functools.wraps(stock)
    def load_checkpoint_to_cpu(path: str, *args: Any, **kwargs: Any) -> Any:
        damage = _damage(path)
        if damage is not None:
            raise unreadable(path, damage)
        try:
            return stock(path, *args, **kwargs)
        except (RefusedCheckpointError, UnreadableCheckpointError):
            raise  # they say it themselves
        except UNREADABLE as error:
            kind = other_kind(path) if os.path.exists(path) else None
            if kind is None:
                raise
            raise unreadable(path, kind) from error

    module.load_checkpoint_to_cpu = load_checkpoint_to_cpu  # type: ignore[attr-defined]


def _damage(path: str) -> Optional[FileKind]:
    """What of a checkpoint was changed after it was written, by a power cut or a bad block; None where none shows.

    torch never looks at the checksums, so that a hole in a tensor trains on in silence, and one in the pickles looks
    like an attack. Reading the file once more takes 0.3 s for each GB on one core, half of what loading takes, and the
    load that follows finds it in the cache. torch's format of before 1.6 has no checksums, nor have files that were
    written with `torch.serialization.set_crc32_options(False)`: these are taken as they are, and so is what is remote.
    """
    if not os.path.isfile(path) or other_kind(path) is not None or is_old_format(path):
        return None
    with zipfile.ZipFile(path) as archive:
        checked = (member for member in archive.infolist() if member.CRC)
        name = next((member.filename for member in checked if not _is_whole(archive, member)), None)
    return None if name is None else FileKind("damaged", f"damaged: `{name}` in it is not what was written", AGAIN)


def _is_whole(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as file:
            while file.read(_BLOCK):
                pass
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False  # the checksum differs, or the member's own header is damaged
    return True
