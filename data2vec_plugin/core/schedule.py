"""Schedules as pure functions of the update count."""

from __future__ import annotations


def annealed_decay(update: int, start: float, end: float, anneal_end_step: int) -> float:
    """The teacher's decay at ``update``: linear from ``start`` to ``end`` (section 3.2), then constant."""
    if update >= anneal_end_step or start == end:
        return end
    return end - (end - start) * (1 - update / anneal_end_step)
