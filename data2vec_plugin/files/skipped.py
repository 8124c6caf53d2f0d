"""The files that a command had to skip: a line for each, in the folder that it writes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

from .unusable import printable
from .writing import write_atomically

SKIPPED = "skipped.tsv"
SHOWN = 20
"""How many are printed; all of them are in the file."""


def tell_skipped(folder: Path, skipped: Dict[str, str]) -> None:
    """Write the reason for each skipped file, and print the first ones; if there are none, remove the list."""
    path = folder / SKIPPED
    if not skipped:
        path.unlink(missing_ok=True)
        return
    write_atomically(path, "".join(f"{line}\n" for line in skipped_lines(skipped)))
    print_skipped(skipped)
    print(f"{path} lists all skipped files", file=sys.stderr)


def print_skipped(skipped: Dict[str, str]) -> None:
    """Print the first :data:`SHOWN` skipped files and their reasons to stderr."""
    lines = skipped_lines(skipped)
    for line in lines[:SHOWN]:
        print(f"skipped {line}".replace("\t", ": "), file=sys.stderr)
    if len(lines) > SHOWN:
        print(f"… and {len(lines) - SHOWN:,} more", file=sys.stderr)


def skipped_lines(skipped: Dict[str, str]) -> list[str]:
    """Return a line for each file: path and reason, separated by a tab."""
    return [printable(f"{place}\t{' '.join(reason.split())}") for place, reason in skipped.items()]
