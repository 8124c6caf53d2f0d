"""Small files that a checkpoint keeps, so that it can be used without those it was made with."""

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
    """Files by name -> bytes (N,), the same for the same files."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, EPOCH), files[name], zipfile.ZIP_DEFLATED)
    return torch.frombuffer(bytearray(buffer.getvalue()), dtype=torch.uint8)


def unpacked(content: Tensor) -> Files:
    """The files again; raises ValueError for what :func:`packed` has not made, or what is larger than any."""
    try:
        with zipfile.ZipFile(BytesIO(content.cpu().numpy().tobytes())) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST:
                raise ValueError(f"the files kept in the checkpoint are larger than {LARGEST:,} bytes")
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"the files kept in the checkpoint are damaged ({error})") from error


@contextmanager
def laid_out(files: Files) -> Iterator[Path]:
    """A folder with the files, for as long as what reads paths needs it."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / Path(file).name).write_bytes(content)
        yield folder
