"""Whether the bytes of a checkpoint are those that were written, found before it is loaded."""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import Optional

from data2vec_compat.file_kinds import AGAIN, FileKind, is_old_format

_BLOCK = 2**20


def damage(path: str) -> Optional[FileKind]:
    """What of a checkpoint was changed after it was written, by a power cut or a bad block; None where none shows.

    ``path`` is one of torch's, by its first bytes.

    torch never looks at the checksums, so that a hole in a tensor trains on in silence, and one in the pickles looks
    like an attack. Reading the file once more takes 0.3 s for each GB on one core, half of what loading takes, and the
    load that follows finds it in the cache. torch's format of before 1.6 has no checksums, nor have files that were
    written with `torch.serialization.set_crc32_options(False)`: these are taken as they are, and so is what is remote.
    """
    if not os.path.isfile(path) or is_old_format(path):
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
