"""What a folder of features was made with: kept beside them, so that no two kinds get mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Dict

from ..files.writing import write_atomically
from .index import INDEX

SETTINGS = "features.json"


def keep_settings(
    folder: Path, settings: Dict[str, object], name: str = SETTINGS, holds: str = "features", remedy: str = ""
) -> None:
    """Write the settings to a new folder; raises ValueError, naming what differs, for one that has others.

    ``holds`` is what the folder has, and ``remedy`` what else to do than to delete it, for the message.
    """
    path = folder / name
    if not path.is_file():
        if (folder / INDEX).is_file():
            raise ValueError(f"{folder} holds {INDEX}, but not {name}; give another `--out`, or delete {folder}")
        write_atomically(path, json.dumps(settings, indent=2) + "\n")
        return
    told = difference(read_settings(path), settings)
    if told:
        raise ValueError(
            f"{folder} holds {holds} that were made otherwise: {told}. Give another `--out`, or "
            f"{remedy or f'delete {folder} to make all of them again'}"
        )


def read_settings(path: Path) -> Dict[str, object]:
    """What a folder's features were made with; raises ValueError for a damaged file."""
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}); give another `--out`, or delete {path.parent}") from error


def difference(kept: Dict[str, object], settings: Dict[str, object]) -> str:
    """Which settings were others, for people; empty if none."""
    wanted = json.loads(json.dumps(settings))
    different = [key for key in {**kept, **wanted} if kept.get(key) != wanted.get(key)]
    return "; ".join(f"`{key}` was {kept.get(key)!r}, is {wanted.get(key)!r}" for key in different)
