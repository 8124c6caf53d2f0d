"""Load checkpoints with memory-mapped tensors, which stay in the file until they are used."""

from __future__ import annotations

import zipfile
from contextlib import contextmanager
from typing import Any, Iterator

from fairseq import checkpoint_utils

from data2vec_compat.proxy import ModuleProxy


@contextmanager
def tensors_in_file() -> Iterator[None]:
    """Context in which fairseq's loader memory-maps files, except those written by torch before 1.6."""
    stock = checkpoint_utils.torch

    def load(f: Any, *args: Any, **kwargs: Any) -> Any:
        if not zipfile.is_zipfile(f.name):
            return stock.load(f, *args, **kwargs)
        return stock.load(f.name, *args, mmap=True, **kwargs)

    checkpoint_utils.torch = ModuleProxy(stock, load=load)
    try:
        yield
    finally:
        checkpoint_utils.torch = stock
