"""The only reader of checkpoints: the steps between a file on disk and fairseq.

All code of fairseq and of this plugin reads checkpoints with ``load_checkpoint_to_cpu``, which is extended only here.
The content of a checkpoint is the same for all readers; the purpose of reading is not, and fairseq cannot pass it from
the caller to this function. Hence the context variable of :func:`reading_for`.
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

    Raises UnreadableCheckpointError for another kind of file, and for a checkpoint that was damaged after writing.
    """
    kind = _other_kind_of(path)
    _refuse_damaged(path, kind)
    state = _read(stock, path, kind, *args, **kwargs)
    keep_known_keys(path, state)
    change = _change.get()
    if change is not None:
        change(path, state)
    return state


@contextmanager
def reading_for(change: Change) -> Iterator[None]:
    """Context in which ``change`` is applied as the last step of reading.

    The trainer reads and loads within one method, so the state must be changed during reading; with several processes,
    one reads and the others receive the result. Evaluation reads many files in this way.
    """
    before = _change.set(change)
    try:
        yield
    finally:
        _change.reset(before)


def _other_kind_of(path: str) -> Optional[FileKind]:
    """Return the kind of a file that is not a checkpoint; raise UnreadableCheckpointError unless it is trusted."""
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
        raise  # already has a clear message
    except UNREADABLE as error:
        if kind is None:
            raise
        raise unreadable(path, kind) from error
