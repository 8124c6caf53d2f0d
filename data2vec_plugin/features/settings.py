"""The settings that a folder of features was made with, stored next to them so that two kinds are never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict, Mapping

from ..files.writing import write_atomically
from .index import INDEX

SETTINGS = "features.json"


def keep_settings(
    folder: Path, settings: Dict[str, object], name: str = SETTINGS, holds: str = "features", remedy: str = ""
) -> None:
    """Write the settings to a new folder; raises ValueError, naming what differs, for a folder with other settings.

    For the message, ``holds`` is the folder's content, and ``remedy`` an alternative to deleting it.
    """
    path = folder / name
    if not path.is_file():
        if (folder / INDEX).is_file():
            raise ValueError(f"{folder} holds {INDEX}, but not {name}; give another `--out`, or delete {folder}")
        write_atomically(path, json.dumps(settings, indent=2) + "\n")
        return
    changed = difference(read_settings(path), settings)
    if changed:
        raise ValueError(
            f"{folder} holds {holds} that were made with other settings: {changed}. Give another `--out`, or "
            f"{remedy or f'delete {folder} to make all of them again'}"
        )


def read_settings(path: Path) -> Dict[str, object]:
    """The settings of a folder's features; raises ValueError for a damaged file."""
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); give another `--out`, or delete {path.parent}") from error


def difference(kept: Dict[str, object], settings: Dict[str, object]) -> str:
    """The settings that differ, for a message, those in groups as `group.key`; empty if none do."""
    was, now = flat(kept), flat(json.loads(json.dumps(settings)))
    different = [key for key in {**was, **now} if was.get(key) != now.get(key)]
    return "; ".join(f"`{key}` was {was.get(key)!r}, is {now.get(key)!r}" for key in different)


def flat(settings: Mapping[str, object], prefix: str = "") -> Dict[str, object]:
    """Settings without nesting.

    >>> flat({"cut": {"way": "pauses", "window": 20}, "beam": 5})
    {'cut.way': 'pauses', 'cut.window': 20, 'beam': 5}
    """
    found: Dict[str, object] = {}
    for key, value in settings.items():
        found.update(flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) and value else {prefix + key: value})
    return found
