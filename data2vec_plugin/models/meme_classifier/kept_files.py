"""Small files stored in a checkpoint, so that it can be used without the originals."""

from __future__ import annotations

import zipfile
import zlib
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Dict, Iterator

import torch
from torch import Tensor

Files = Dict[str, bytes]
LARGEST = 256 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)


def packed(files: Files) -> Tensor:
    """Files by name -> bytes (N,) uint8, equal for equal files."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


def unpacked(content: Tensor) -> Files:
    """The reverse of :func:`packed`; raises ValueError for damaged content, or more than ``LARGEST`` bytes."""
    try:
        with zipfile.ZipFile(BytesIO(content.cpu().numpy().tobytes())) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise ValueError(f"the files kept in the checkpoint are larger than {LARGEST:,} bytes")
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"the files kept in the checkpoint are damaged ({error})") from error


@contextmanager
def laid_out(files: Files) -> Iterator[Path]:
    """Context with a temporary folder that holds the files, for readers that need paths."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / Path(file).name).write_bytes(content)
        yield folder
