"""Checks, before a checkpoint is loaded, that its bytes are those that were written."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import Optional

from data2vec_compat.file_kinds import AGAIN, FileKind, is_old_format

_BLOCK = 2**20


def damage(path: str) -> Optional[FileKind]:
    """Find a part of a checkpoint that was changed after writing, by a power cut or a bad block; None if there is none.

    ``path`` must begin like a torch checkpoint. torch never verifies checksums, so a damaged tensor is silently used,
    and a damaged pickle looks like an attack. Reading the file once more takes 0.3 s for each GB on one core, half of
    the loading time, and the following load finds it in the cache. torch's format before 1.6 has no checksums, nor have
    files written with `torch.serialization.set_crc32_options(False)`: these are not checked, and neither are remote
    files.
    """
    if not os.path.isfile(path) or is_old_format(path):
        return None
    with zipfile.ZipFile(path) as archive:
        checked = (member for member in archive.infolist() if member.CRC)
        name = next((member.filename for member in checked if not _is_whole(archive, member)), None)
    return (
        None if name is None else FileKind("damaged", f"damaged: the checksum of `{name}` in it does not match", AGAIN)
    )


def _is_whole(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    try:
        with archive.open(member) as file:
            while file.read(_BLOCK):
                pass
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        return False  # the checksum differs, or the member's own header is damaged
    return True
