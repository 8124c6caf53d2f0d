"""The package that implements beam search: flashlight-text, whose wheels include KenLM."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

from ..doctor.remedies import for_beam_search


def flashlight_text() -> Any:
    """Its decoders, KenLM and dictionary; raises ValueError with what to install if it is missing."""
    try:
        decoder = import_module("flashlight.lib.text.decoder")
        kenlm = import_module("flashlight.lib.text.decoder.kenlm")
        dictionary = import_module("flashlight.lib.text.dictionary")
    except ImportError as error:
        raise ValueError(f"beam search requires flashlight-text ({error}): {for_beam_search()}") from error
    return SimpleNamespace(
        **{name: getattr(decoder, name) for name in dir(decoder) if not name.startswith("_")},
        KenLM=kenlm.KenLM,
        Dictionary=dictionary.Dictionary,
    )
