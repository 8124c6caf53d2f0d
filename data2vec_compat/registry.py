"""The patches, their reasons and results: `data2vec doctor` prints this list."""

import logging
import sys
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Callable, Dict, List, Sequence

from data2vec_compat import after_import

logger = logging.getLogger(__name__)

WAITING, APPLIED, NOT_NEEDED, FAILED = "waiting", "applied", "not needed", "failed"


@dataclass
class Patch:
    """One patch of one module.

    `apply` returns True if it patched, False if no patch was needed.
    """

    name: str
    module: str
    why: str
    apply: Callable[[ModuleType], bool]
    state: str = WAITING
    detail: str = ""

    def run(self, module: ModuleType) -> None:
        """Applies the patch once. A patch that fails must not break the import."""
        if self.state != WAITING:
            return
        try:
            self.state = APPLIED if self.apply(module) else NOT_NEEDED
        except Exception as error:
            self.state = FAILED
            self.detail = f"{type(error).__name__}: {error}"
            logger.warning("could not patch %s (%s): %s", self.module, self.name, self.detail)


PATCHES: List[Patch] = []
"""The patches of this package, registered by importing its modules."""

ARMED: List[Patch] = []
"""Patches that wait for their modules or have been applied, including the plugin's."""


def arm(entries: Sequence[Patch]) -> None:
    """Runs each patch: now if its module is imported, otherwise right after its import."""
    ARMED.extend(entries)
    for entry in entries:  # standard-library modules are already imported: patched immediately
        after_import(entry.module, partial(_run, entry))


def _run(entry: Patch) -> None:
    entry.run(sys.modules[entry.module])


def patch(name: str, *modules: str, why: str) -> Callable[[Callable[[ModuleType], bool]], Callable[[ModuleType], bool]]:
    """Registers a function that patches each of `modules`."""

    def register(apply: Callable[[ModuleType], bool]) -> Callable[[ModuleType], bool]:
        PATCHES.extend(Patch(name, module, why, apply) for module in modules)
        return apply

    return register


def report() -> List[Dict[str, str]]:
    """The active patches as plain dicts, in order of activation."""
    return [{"name": p.name, "module": p.module, "why": p.why, "state": p.state, "detail": p.detail} for p in ARMED]
