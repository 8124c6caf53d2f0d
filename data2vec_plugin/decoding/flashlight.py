"""The package that searches: flashlight-text, whose wheels hold KenLM."""

from __future__ import annotations

import sys
from importlib import import_module
from types import SimpleNamespace
from typing import Any

LAST_PYTHON = (3, 12)
"""flashlight-text 0.0.7 has wheels up to this one."""


def flashlight_text() -> Any:
    """Its decoders, KenLM and dictionary; raises ValueError with what to install where it is missing."""
    try:
        decoder = import_module("flashlight.lib.text.decoder")
        kenlm = import_module("flashlight.lib.text.decoder.kenlm")
        dictionary = import_module("flashlight.lib.text.dictionary")
    except ImportError as error:
        raise ValueError(f"beam search needs flashlight-text ({error}): {how_to_install()}") from error
    return SimpleNamespace(
        **{name: getattr(decoder, name) for name in dir(decoder) if not name.startswith("_")},
        KenLM=kenlm.KenLM,
        Dictionary=dictionary.Dictionary,
    )


def how_to_install() -> str:
    """What makes beam search possible on this Python."""
    if sys.version_info[:2] > LAST_PYTHON:
        last = ".".join(map(str, LAST_PYTHON))
        return (
            f"it has no wheel for Python {sys.version_info[0]}.{sys.version_info[1]}; use Python 3.9 to {last}, "
            f"or decode greedily"
        )
    return "pip install flashlight-text"
