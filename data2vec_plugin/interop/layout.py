"""The interface of modules with upstream's names (`audio_v1`, `text_v1`, `vision_v1`), and their common helpers."""

from __future__ import annotations

from typing import Any, Iterator, MutableMapping, Protocol, Sequence, Tuple


class Layout(Protocol):
    """Conversion to and from upstream's names and shapes for one model, in place."""

    TEACHER: str
    """Upstream's name of the teacher's entry."""

    def to_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Convert our names in memory to those of upstream's checkpoints."""

    def from_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Convert to our names; the teacher's entry becomes ``_ema``."""

    def teacher_to_upstream(self, state: MutableMapping[str, Any]) -> None:
        """As :meth:`to_upstream` for the teacher's entries, which may be those of the encoder only."""

    def teacher_from_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The reverse of :meth:`teacher_to_upstream`."""


class SameNames:
    """The layout of a model whose names are the same in a checkpoint and in memory."""

    TEACHER = "_ema"

    def to_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Nothing to rename."""

    def from_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Nothing to rename."""

    def teacher_to_upstream(self, state: MutableMapping[str, Any]) -> None:
        """Nothing to rename."""

    def teacher_from_upstream(self, state: MutableMapping[str, Any]) -> None:
        """Nothing to rename."""


Names = Sequence[Tuple[str, str]]


def below(state: MutableMapping[str, Any], prefix: str) -> Iterator[Tuple[str, str]]:
    """Yield names below ``prefix`` with and without it; the state may change during the iteration."""
    for name in [name for name in state if name.startswith(prefix)]:
        if name in state:
            yield name, name[len(prefix) :]


def swapped(name: str, names: Names, start: int = 0) -> str:
    """Replace the beginning of a name by its partner in ``names``; ``start``, 0 or 1, is the side that must match."""
    for pair in names:
        if pair[start] and name.startswith(pair[start]):
            return pair[1 - start] + name[len(pair[start]) :]
    return name
