"""What is patched, why, and what became of it: `data2vec doctor` prints this list."""

import logging
from dataclasses import dataclass
from types import ModuleType
from typing import Callable, Dict, List

logger = logging.getLogger(__name__)

WAITING, APPLIED, NOT_NEEDED, FAILED = "waiting", "applied", "not needed", "failed"


@dataclass
class Patch:
    """One mend of one module.

    `apply` returns True if it patched, False if there was nothing to mend.
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
            logger.warning("could not mend %s (%s): %s", self.module, self.name, self.detail)


PATCHES: List[Patch] = []


def patch(name: str, *modules: str, why: str) -> Callable[[Callable[[ModuleType], bool]], Callable[[ModuleType], bool]]:
    """Registers a function that mends each of `modules`."""

    def register(apply: Callable[[ModuleType], bool]) -> Callable[[ModuleType], bool]:
        PATCHES.extend(Patch(name, module, why, apply) for module in modules)
        return apply

    return register


def report() -> List[Dict[str, str]]:
    """The registry as plain dicts, in the order of registration."""
    return [{"name": p.name, "module": p.module, "why": p.why, "state": p.state, "detail": p.detail} for p in PATCHES]
