"""Passes the mask of a batch to this plugin's encoder, through a fairseq module that would drop it.

fairseq's ``Wav2VecEncoder`` accepts everything in a batch, but passes on only the clips: hence a context variable.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, Mapping, Optional, Union

from torch import Tensor

Entries = Mapping[str, Tensor]

_brought: ContextVar[Optional[Entries]] = ContextVar("brought", default=None)


@contextmanager
def bringing(mask: Optional[Entries]) -> Iterator[None]:
    """Context in which a data2vec encoder that masks uses ``mask``; if it is None, the encoder draws its own."""
    before = _brought.set(mask)
    try:
        yield
    finally:
        _brought.reset(before)


def brought(mask: bool) -> Union[bool, Entries]:
    """Return the batch's mask if ``mask`` is True and there is one, else ``mask``."""
    return (_brought.get() or mask) if mask else mask
