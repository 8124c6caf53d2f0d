"""What a fault is: a change to our code, and the tests that notice it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """``part`` with its only ``ours`` made ``theirs`` has the fault; at least one of ``tests`` must then fail.

    ``name`` is a letter for its table and a number; another letter behind it tells two forms of one apart. ``B`` are
    faults of upstream's data2vec by their numbers (upstream.py); ``F`` those that users met in files that they handed
    over (in_files.py), ``R`` those in runs, checkpoints and commands (in_runs.py); ``M`` are those of MTAG's paper and
    release (multimodal.py), ``K`` those of masks (masks.py), ``D`` those of the method's parts (method.py).

    ``part`` is a module, class, function or constant of ours by the end of its dotted name, wherever it is (parts.py),
    ``ours`` an expression or a statement in it; of a recipe it is the path, and ``ours`` its text. ``tests`` are files,
    or tests by pytest's names, as few as notice it.
    """

    name: str
    part: str
    ours: str
    theirs: str
    tests: tuple[str, ...]
