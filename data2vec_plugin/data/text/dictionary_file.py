"""A dictionary's file as fairseq's own object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...files.text.dictionaries import read_entries

if TYPE_CHECKING:
    from fairseq.data import Dictionary


def load_dictionary(path: Path) -> Dictionary:
    """fairseq's dictionary, with the ids that fairseq gives; raises ValueError as :func:`read_entries` does."""
    entries = read_entries(path)  # before fairseq is imported, which takes seconds
    from fairseq.data import Dictionary

    dictionary = Dictionary()
    for entry in entries:
        dictionary.add_symbol(entry.symbol, n=entry.frequency, overwrite=entry.overwrites)
    return dictionary
