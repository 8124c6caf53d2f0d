"""What a module of upstream's names offers: `audio_v1`, `text_v1`, `vision_v1`."""

from __future__ import annotations

from typing import Any, MutableMapping, Protocol


class Layout(Protocol):
    """Upstream's names and shapes for one model; everything happens in place."""

    TEACHER: str
    """What the teacher's entry is called there."""

    def to_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Bring our names in memory to those of a checkpoint."""

    def from_upstream(self, state: MutableMapping[str, Any], prefix: str = "") -> None:
        """Bring to ours, the teacher's entry to ``_ema``."""

    def teacher_to_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The same for the teacher's own entries, which may be those of the encoder alone."""

    def teacher_from_upstream(self, state: MutableMapping[str, Any]) -> None:
        """The reverse."""
