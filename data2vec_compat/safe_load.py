"""Loads a checkpoint without running code in it: known classes are allowed during the call."""

import io
import os
import pickle
import re
import struct
import zipfile
from argparse import Namespace
from contextlib import contextmanager
from types import ModuleType
from typing import Any, BinaryIO, Iterator, List, Tuple

from data2vec_compat.allowed import Entry, ForbiddenCallError, allowed_globals, harmless_globals
from data2vec_compat.file_kinds import AGAIN, PICKLES, TRUNCATED, FileKind, opened, other_kind
from data2vec_compat.loaded_state import UnbelievableError, check_loaded
from data2vec_compat.unpickler import UNBOUNDED, pickle_module

TRUST = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""torch's own environment variable, here honoured with every torch."""

MALFORMED = (EOFError, LookupError, AttributeError, TypeError, AssertionError, UnicodeError, struct.error)
"""Exceptions that an unpickler raises for corrupted bytes."""

ODD = (RuntimeError, ValueError, ArithmeticError, SyntaxError, MemoryError)
"""Exceptions that torch and the classes in a file raise for impossible sizes, offsets and values."""

_CUT = ("unexpected EOF", "was truncated", "Ran out of input", "failed finding central", "failed reading")


class UnreadableCheckpointError(ValueError):
    """A file that is not a checkpoint, or a truncated one."""


class RefusedCheckpointError(pickle.UnpicklingError, ValueError):
    """A file that could run code."""


def load_allowed(torch: ModuleType, f: Any, *args: Any, **kwargs: Any) -> Any:
    """`torch.load` that allows only the classes that a fairseq checkpoint may hold.

    torch names one refused class at a time; a harmless one (a configuration, an enum) is then allowed, and the file is
    read again.

    Raises:
        RefusedCheckpointError: the file holds another class, which could run code. UnreadableCheckpointError: it is
        another kind of file or truncated.
    """
    kwargs.pop("weights_only", None)
    if trusted():
        return torch.load(f, *args, weights_only=False, **kwargs)
    kind = other_kind(f)
    if kind is not None:
        raise unreadable(f, kind)
    size = _size(f)
    loaded = _load_listed(torch, f, *args, **kwargs)
    try:
        check_loaded(loaded, size)
    except UnbelievableError as error:
        raise unreadable(f, FileKind("unbelievable", str(error), "use another one")) from error
    return loaded


def _load_listed(torch: ModuleType, f: Any, *args: Any, **kwargs: Any) -> Any:
    """The content of the file, built from listed or harmless classes."""
    start = f.tell() if hasattr(f, "tell") else None
    wanted = allowed_globals()
    while True:
        try:
            return _read(torch, wanted, f, *args, **kwargs)
        except (pickle.UnpicklingError, ForbiddenCallError) as error:
            more = [entry for entry in harmless_globals(_refused(error)) if entry not in wanted]
            if not more:
                raise _refusal(torch, f, error) from error
            wanted += more
        except MALFORMED as error:
            raise unreadable(f, TRUNCATED) from error
        except ODD as error:
            raise unreadable(f, _odd(error)) from error
        if start is not None:
            f.seek(start)


def _odd(error: Exception) -> FileKind:
    """The kind of a file that torch can parse, but whose content is invalid."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    if any(word in reason for word in _CUT):
        return TRUNCATED
    return FileKind("odd", f"not written by torch ({reason})", AGAIN)


def trusted() -> bool:
    """Whether the check is switched off in the environment."""
    return os.environ.get(TRUST, "0").lower() in ("1", "y", "yes", "true")


def unreadable(f: Any, kind: FileKind) -> UnreadableCheckpointError:
    """The error for a file that is not a checkpoint."""
    name = name_of(f)
    size = f" ({os.path.getsize(name):,} bytes)" if os.path.isfile(name) else ""
    return UnreadableCheckpointError(f"checkpoint {name} cannot be read{size}: it is {kind.words}; {kind.advice}")


def name_of(f: Any) -> str:
    """The path of a file, or a description of data without a path."""
    if isinstance(f, (str, os.PathLike)):
        return str(f)
    return str(getattr(f, "name", None) or "the data received")


def _read(torch: ModuleType, wanted: List[Entry], f: Any, *args: Any, **kwargs: Any) -> Any:
    if takes_named_classes(torch) and not _begins_with_pickles(f):
        _check_bounded(f)
        with _Allow(torch, wanted):
            return torch.load(f, *args, weights_only=True, **kwargs)
    return torch.load(f, *args, weights_only=False, pickle_module=pickle_module(torch, wanted), **kwargs)


@contextmanager
def _looked_at(f: Any) -> Iterator[BinaryIO]:
    """Opens a path; an open file is afterwards where it was before."""
    with opened(f) as file:
        start = file.tell()
        try:
            yield file
        finally:
            file.seek(start)


def _size(f: Any) -> int:
    """Bytes in a file, unpacked if it is a zip archive."""
    old = _begins_with_pickles(f)  # its last bytes may be an archive's, which one of its tensors holds
    with _looked_at(f) as file:
        if old:
            start = file.tell()
            return file.seek(0, os.SEEK_END) - start
        try:
            with zipfile.ZipFile(file) as archive:
                return sum(member.file_size for member in archive.infolist())
        except zipfile.BadZipFile as error:
            raise unreadable(f, TRUNCATED) from error


def _begins_with_pickles(f: Any) -> bool:
    """Whether it is torch's older format, of which torch's weights-only loader accepts more than this one."""
    with _looked_at(f) as file:
        return file.read(2) in PICKLES


def _check_bounded(f: Any) -> None:
    """Raise UnpicklingError for functions that torch allows but that can allocate any amount of memory."""
    with _looked_at(f) as file, zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith("data.pkl")]
        for member in members:
            member.CRC = member.CRC or None  # type: ignore[assignment]  # torch may leave it out
        pickles = [archive.read(member) for member in members]
    for name in UNBOUNDED:
        if any(f"\n{name}\n".encode() in content for content in pickles):
            raise pickle.UnpicklingError(f"GLOBAL {name} is not allowed")


def takes_named_classes(torch: ModuleType) -> bool:
    """Whether this torch's weights-only loader accepts a class under another name, as since 2.6."""
    if not hasattr(torch.serialization, "safe_globals"):
        return False
    buffer = io.BytesIO()
    torch.save(Namespace(), buffer)
    buffer.seek(0)
    try:
        with _Allow(torch, [(Namespace, "argparse.Namespace")]):
            torch.load(buffer, weights_only=True)
    except (AttributeError, TypeError, pickle.UnpicklingError):
        return False
    return True


class _Allow:
    """Adds to torch's safe globals, and removes only what it added."""

    def __init__(self, torch: ModuleType, wanted: "List[Tuple[Any, str]]") -> None:
        present = torch.serialization.get_safe_globals()
        added = [entry for entry in wanted if entry not in present]
        self._scope = torch.serialization.safe_globals(added)

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._scope.__exit__(*error)


def _refused(error: Exception) -> List[str]:
    """The name that was refused, if it is in the message."""
    return re.findall(r"GLOBAL ([\w.]+)", str(error))[:1]


def _refusal(torch: ModuleType, f: Any, error: Exception) -> RefusedCheckpointError:
    names = _refused(error)
    reason = str(error).partition("WeightsUnpickler error: ")[2] or str(error)
    what = f"holds `{names[0]}`" if names else f"requires this: {' '.join(reason.split())[:200]}"
    allow = "allow it with `torch.serialization.add_safe_globals([...])` in your plugin, or "
    return RefusedCheckpointError(
        f"`{name_of(f)}`: refused, because it {what}, which is not one of the classes in fairseq checkpoints, and "
        "loading it could run code. If you trust the file, "
        f"{allow if hasattr(torch.serialization, 'safe_globals') else ''}set {TRUST}=1 for this run only."
    )
