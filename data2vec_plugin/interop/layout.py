"""What a module of upstream's names offers (`audio_v1`, `text_v1`, `vision_v1`), and what several are made with."""

from __future__ import annotations

from typing import Any, Iterator, MutableMapping, Protocol, Sequence, Tuple


class Layout(Protocol):
    """Upstream's names and shapes for one model; everything happens in place."""

    TEACHER: str
    """What the teacher's entry is called there."""

    def to_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Bring our names in memory to those of a checkpoint."""

    def from_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Bring to ours, the teacher's entry to ``_ema``."""

    def teacher_to_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The same for the teacher's entries, which may be only those of the encoder."""

    def teacher_from_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The reverse."""


class SameNames:
    """The layout of a model that has no other names in a checkpoint than in memory."""

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
    """Names below ``prefix`` with and without it; the state may change meanwhile."""
    for name in [name for name in state if name.startswith(prefix)]:
        if name in state:
            yield name, name[len(prefix) :]


def swapped(name: str, names: Names, start: int = 0) -> str:
    """The name with its beginning replaced, if that is one of ``names`` at ``start``, by the other of the two."""
    for pair in names:
        if pair[start] and name.startswith(pair[start]):
            return pair[1 - start] + name[len(pair[start]) :]
    return name
