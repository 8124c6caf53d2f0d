"""A mask that a batch brings, on its way to our encoder through a module of fairseq's that would drop it.

fairseq's ``Wav2VecEncoder`` takes whatever a batch holds, and hands on the clips alone: hence one context variable.
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
    """Within it an encoder of ours that is asked to mask takes this one; None lets it draw its own."""
    before = _brought.set(mask)
    try:
        yield
    finally:
        _brought.reset(before)


def brought(mask: bool) -> Union[bool, Entries]:
    """The batch's mask where one is wanted and there is one, else ``mask``."""
    return (_brought.get() or mask) if mask else mask
