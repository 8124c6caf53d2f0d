"""What a check has found, with its remedy."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Iterator, List

ERROR, WARNING = "error", "warning"


@dataclass(frozen=True)
class Finding:
    """``kind`` is :data:`ERROR` for what the run refuses as well, else :data:`WARNING`; ``text`` has the remedy."""

    kind: str
    text: str


@dataclass
class Findings:
    """All findings of a preflight, in the order of the checks; ``notes`` are facts, such as sizes and times."""

    found: List[Finding] = field(default_factory=list)
    notes: List[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Add what may be wrong; nothing for an empty text."""
        if text:
            self.found.append(Finding(WARNING, text))

    def refuse(self, text: str) -> None:
        """Add what is wrong for certain; nothing for an empty text."""
        if text:
            self.found.append(Finding(ERROR, text))

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Turn an error about the user's input into a finding, so that further checks can run."""
        try:
            yield
        except (ValueError, OSError) as error:
            self.refuse(str(error))

    def of(self, kind: str) -> List[str]:
        """The texts of one kind, each once."""
        return list(dict.fromkeys(finding.text for finding in self.found if finding.kind == kind))

    def raise_errors(self) -> None:
        """Raise ValueError with all errors, if there are any."""
        errors = self.of(ERROR)
        if errors:
            raise ValueError("\n".join(errors))
