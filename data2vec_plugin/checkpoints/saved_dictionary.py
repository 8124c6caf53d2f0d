"""The label dictionary in a fine-tuned checkpoint, which names the rows of its output layer."""

from __future__ import annotations

from typing import List, Optional, Tuple

from fairseq.data import Dictionary

from .saved_file import read_mapped


def saved_dictionary(path: str) -> Optional[Dictionary]:
    """The label dictionary that fairseq saved; None if it saved none. No tensor is read."""
    state = read_mapped(path)
    return (state.get("task_state") or {}).get("target_dictionary")


def check_same_symbols(saved: Dictionary, path: str, ours: Dictionary, source: str) -> None:
    """Raise ValueError if a dictionary, read from ``source``, is not the one that the checkpoint ``path`` holds."""
    difference = where_they_differ(saved, ours)
    if difference is None:
        return
    line, got, expected = difference
    raise ValueError(
        f"{source}:{line}: symbol is {got}, expected {expected}, as in {path}, whose output layer was trained with "
        "it: restore the dictionary of its training (`data2vec labels --dict FILE` creates labels without a new "
        "one), or start again from the pre-trained model in another `checkpoint.save_dir`"
    )


def where_they_differ(saved: Dictionary, ours: Dictionary) -> Optional[Tuple[int, str, str]]:
    """Return the first line (from 1) that differs, with our symbol and the saved one; None if they are equal."""
    old, new = lines_of(saved), lines_of(ours)
    if old == new:
        return None
    line = next((line for line, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
    got, expected = (repr(each[line]) if line < len(each) else "nothing" for each in (new, old))
    return line + 1, got, expected


def lines_of(dictionary: Dictionary) -> List[str]:
    """Return the symbols in the order of a dictionary file, without fairseq's special symbols."""
    symbols: List[str] = dictionary.symbols[dictionary.nspecial :]
    return symbols
