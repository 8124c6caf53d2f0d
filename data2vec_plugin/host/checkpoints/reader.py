"""The one reader of checkpoints: the steps that each file takes on its way from the disk into fairseq.

Everything of fairseq's that reads a checkpoint does so by ``load_checkpoint_to_cpu``, and so do we; it is extended
here, and nowhere else. What a checkpoint means is the same for all, whoever reads; what it is read for is not, and the
one thing that fairseq cannot hand from the caller down to here. Hence the one context variable, :func:`reading_for`.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Callable, Dict, Iterator, Optional

from data2vec_compat.file_kinds import FileKind, other_kind
from data2vec_compat.safe_load import RefusedCheckpointError, UnreadableCheckpointError, trusted, unreadable

from .damage import damage
from .known_keys import keep_known_keys

Change = Callable[[str, Dict[str, Any]], None]
"""Takes the path and what was read, which it changes in place."""

UNREADABLE = (EOFError, OSError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile)

_change: ContextVar[Optional[Change]] = ContextVar("change", default=None)


def read(stock: Any, path: str, *args: Any, **kwargs: Any) -> Any:
    """``load_checkpoint_to_cpu`` of `fairseq.checkpoint_utils`.

    Raises UnreadableCheckpointError for another kind of file, and for one whose bytes are not those that were written.
    """
    kind = _told_kind(path)
    _refuse_damaged(path, kind)
    state = _read(stock, path, kind, *args, **kwargs)
    keep_known_keys(path, state)
    change = _change.get()
    if change is not None:
        change(path, state)
    return state


@contextmanager
def reading_for(change: Change) -> Iterator[None]:
    """Within it, whatever is read goes through ``change`` as its last step.

    The trainer reads, loads and forgets within one method, so what it reads is changed under its hands; and in a run of
    several processes one reads, and the others get what became of it. Whoever evaluates reads many files so.
    """
    before = _change.set(change)
    try:
        yield
    finally:
        _change.reset(before)


def _told_kind(path: str) -> Optional[FileKind]:
    """What a local file is, if it is no checkpoint; raises UnreadableCheckpointError, but for who trusts the file."""
    kind = other_kind(path) if os.path.exists(path) else None
    if kind is not None and not trusted():
        raise unreadable(path, kind)
    return kind


def _refuse_damaged(path: str, kind: Optional[FileKind]) -> None:
    found = damage(path) if kind is None else None
    if found is not None:
        raise unreadable(path, found)


def _read(stock: Any, path: str, kind: Optional[FileKind], *args: Any, **kwargs: Any) -> Any:
    try:
        return stock(path, *args, **kwargs)
    except (RefusedCheckpointError, UnreadableCheckpointError):
        raise  # they say it themselves
    except UNREADABLE as error:
        if kind is None:
            raise
        raise unreadable(path, kind) from error
