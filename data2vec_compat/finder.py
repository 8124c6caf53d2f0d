"""A meta-path finder that calls back when a module has been imported."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional, Set

from data2vec_compat import ROOTS, enabled


class Finder:
    """Finds no modules itself; runs callbacks after the modules found by other finders have been executed.

    Args:
        front: the entry of `sys.meta_path` that calls this finder, to be skipped.
    """

    def __init__(self, front: Any) -> None:
        self._front = front
        self._waiting: Dict[str, List[Callable[[], Any]]] = {}
        self._hooked: Set[str] = set()
        self._late: Set[str] = set()  # partly imported before the finder was installed

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        """Returns what the other finders find, with a hook if a callback waits for the module."""
        if name in ROOTS:
            self.arm()
        if self._late:
            self._run_finished()
        if name not in self._waiting:
            return None
        spec = self._find_elsewhere(name, path, target)
        loader = getattr(spec, "loader", None)
        if hasattr(loader, "exec_module"):
            self._fire_after(loader, name)
        return spec

    def after_import(self, name: str, callback: Callable[[], Any]) -> None:
        """Calls `callback` once: now, or when the import of `name` has finished."""
        module = sys.modules.get(name)
        if module is not None and not _is_initializing(module):
            callback()
            return
        self._waiting.setdefault(name, []).append(callback)
        if module is not None and name not in self._hooked:
            self._late.add(name)

    @staticmethod
    def arm() -> None:
        """Imports and activates the patches, including the plugin's; does nothing if called again."""
        if enabled():
            from data2vec_compat import patches

            patches.activate()
        from data2vec_compat import companion

        companion.activate()

    def _find_elsewhere(self, name: str, path: Any, target: Any) -> Optional[ModuleSpec]:
        for finder in sys.meta_path:
            if finder is self._front or not hasattr(finder, "find_spec"):
                continue
            spec: Optional[ModuleSpec] = finder.find_spec(name, path, target)
            if spec is not None:
                return spec
        return None

    def _fire_after(self, loader: Any, name: str) -> None:
        """Wraps this one loader's `exec_module`; the module keeps its real loader."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            self._hooked.add(name)
            try:
                execute(module)
            finally:
                self._hooked.discard(name)
            self._fire(name)

        loader.exec_module = exec_module

    def _fire(self, name: str) -> None:
        for callback in self._waiting.pop(name, ()):
            callback()

    def _run_finished(self) -> None:
        for name in list(self._late):
            module = sys.modules.get(name)
            if module is None or not _is_initializing(module):
                self._late.discard(name)
                if module is not None:
                    self._fire(name)


def _is_initializing(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))
