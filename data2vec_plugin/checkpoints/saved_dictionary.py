"""The labels that the rows of a fine-tuned checkpoint's output layer stand for."""

from __future__ import annotations

from typing import List, Optional

from data2vec_compat.file_kinds import is_old_format

from .identify import read_file


def saved_dictionary(path: str) -> Optional[List[str]]:
    """The symbols of the label dictionary that fairseq saved, in order; None if it saved none. No tensor is read."""
    state = read_file(path, **({} if is_old_format(path) else {"mmap": True}))
    saved = (state.get("task_state") or {}).get("target_dictionary")
    return None if saved is None else list(saved.symbols)


def check_same_symbols(saved: List[str], path: str, symbols: List[str], source: str) -> None:
    """Raise ValueError if a dictionary, read from ``source``, is not the one that the checkpoint ``path`` holds."""
    if saved == symbols:
        return
    row = next((row for row, (old, new) in enumerate(zip(saved, symbols)) if old != new), min(len(saved), len(symbols)))
    got, expected = (repr(each[row]) if row < len(each) else "nothing" for each in (symbols, saved))
    raise ValueError(
        f"{source}: symbol {row + 1} is {got}, expected {expected}, as in {path}, whose output layer has been trained "
        f"on it: put the dictionary back with which it was trained (`data2vec labels --dict FILE` makes labels without "
        f"another), or begin anew from the pre-trained model in another `checkpoint.save_dir`"
    )
