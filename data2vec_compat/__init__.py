"""Lets stock, unmodified fairseq run on today's Python, torch and NumPy.

`fairseq-hydra-train` imports fairseq long before it looks at `--user-dir`, so a plugin comes too late to fix the
import. A one-line `.pth` file therefore calls :func:`start` in every interpreter; nothing else happens until fairseq,
hydra or omegaconf is imported. Then individual modules are patched right after their import, and each patch is applied
only if a test of the feature shows that it is needed.

The package imports the standard library only, and nothing of `data2vec_plugin`:
`--user-dir CHECKOUT/data2vec_plugin` must find that name free. What the plugin needs this early is loaded by its path
(`companion.py`). This file is read at every interpreter start, so it imports only modules that are already loaded.

`DATA2VEC_COMPAT=0` in the environment turns off all patches of this package, but not the plugin's own.
"""

import os
import sys

TYPE_CHECKING = False  # typing's own constant would cost the import of typing
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from typing import Any, Callable, Optional

    from data2vec_compat.finder import Finder

__all__ = ["after_import", "enabled", "install", "report", "start", "started_by"]

ROOTS = ("omegaconf", "hydra", "fairseq", "fairseq_cli")


class _Doorman:
    """An entry of `sys.meta_path` that imports the real finder when it is first needed."""

    by = ""
    finder: "Optional[Finder]" = None

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Optional[ModuleSpec]":
        if self.finder is None:
            if name not in ROOTS:
                return None
            self.awake()
        return self.awake().find_spec(name, path, target)

    def awake(self) -> "Finder":
        if self.finder is None:
            from data2vec_compat.finder import Finder

            self.finder = Finder(self)
        return self.finder


_doorman = _Doorman()


def enabled() -> bool:
    """False if the environment says `DATA2VEC_COMPAT=0` (or off, false, no)."""
    return os.environ.get("DATA2VEC_COMPAT", "1").lower() not in ("0", "off", "false", "no")


def start(by: str = ".pth") -> None:
    """Waits for the import of fairseq, hydra or omegaconf; called by the `.pth` line, must be cheap."""
    _take_post(by)


def install() -> None:
    """Turns on the patches, including the plugin's: immediately for modules that are already imported, lazily for
    others.

    Calling it again does nothing. It is only needed where `.pth` files are not read
    (`python -S`, `pip install --target`, a bare checkout).
    """
    start("import")
    if any(root in sys.modules for root in ROOTS):
        _doorman.awake().arm()


def after_import(module_name: str, callback: "Callable[[], Any]") -> None:
    """Calls `callback` as soon as `module_name` is fully imported: immediately if it already is.

    If the module is being imported, the callback runs when the import has finished. An exception in the callback makes
    the import fail. This also works with the patches turned off.
    """
    _take_post("import")
    _doorman.awake().after_import(module_name, callback)


def report() -> "list[dict[str, str]]":
    """Lists for each patch the module, the reason and the result."""
    from data2vec_compat.registry import report as as_dicts

    return as_dicts()


def started_by() -> str:
    """ ".pth" or "import" (an explicit call); "" if the patches are turned off, or the finder is not active."""
    return _doorman.by if enabled() and _doorman in sys.meta_path else ""


def _take_post(by: str) -> None:
    if _doorman not in sys.meta_path:
        _doorman.by = by
        sys.meta_path.insert(0, _doorman)  # type: ignore[arg-type]
