"""JSON files given by users or downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

from ..unusable import UnusableFileError
from .text_lines import read_text

LARGEST = 20 * 2**20
"""In bytes; parsing needs thirty times the size in memory, and no expected file is larger."""


def read_json(path: Path) -> Dict[str, Any]:
    """Read a JSON object; raises :class:`UnusableFileError` for another content, or over :data:`LARGEST` bytes."""
    size = path.stat().st_size if path.is_file() else 0
    if size > LARGEST:
        raise UnusableFileError.of(path, f"it has {size:,} bytes; expected at most {LARGEST:,} of JSON")
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnusableFileError.of(path, f"is not JSON ({error.msg}, column {error.colno})", error.lineno) from error
    except (RecursionError, ValueError) as error:  # too many nested objects, or too many digits in a number
        raise UnusableFileError.of(path, "is not JSON: nested too deeply, or with a number that is too long") from error
    if not isinstance(content, dict):
        raise UnusableFileError.of(path, f"holds a {type(content).__name__}; expected an object, in braces")
    return content
