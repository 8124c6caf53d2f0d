"""Digests of files' contents, which are cached as long as a file is unchanged."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any, Dict

from .opening import opened
from .writing import write_atomically

_BLOCK = 2**22


def content_digest(path: Path, known: Path) -> str:
    """Return twelve hexadecimal digits of a file's content; the JSON file ``known`` caches those of a folder's files.

    A file counts as unchanged while its ctime (which programs cannot set), size, modification time and inode are the
    same. Unreadable entries of ``known`` are computed again; if the folder cannot be written, digests are computed each
    time.
    """
    seen, stamp = _read(known), _stamp(path)
    entry = seen.get(path.name)
    if isinstance(entry, dict) and entry.get("stamp") == stamp and isinstance(entry.get("digest"), str):
        return str(entry["digest"])
    digest = digest_of(path)
    if _stamp(path) == stamp:  # not written in the meantime
        _keep(known, {**seen, path.name: {"stamp": stamp, "digest": digest}})
    return digest


def digest_of(path: Path) -> str:
    """Compute twelve hexadecimal digits of a file's content."""
    digest = hashlib.blake2b(digest_size=6)
    with opened(path) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _stamp(path: Path) -> str:
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_dev} {stat.st_ino}"


def _read(known: Path) -> Dict[str, Any]:
    try:
        found = json.loads(known.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(known: Path, entries: Dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        write_atomically(known, json.dumps(entries, indent=1))
