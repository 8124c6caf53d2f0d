"""Lets stock, unmodified fairseq run on today's Python, torch and NumPy.

`fairseq-hydra-train` imports fairseq long before it looks at `--user-dir`, so a
plugin comes too late to mend the import. A one-line `.pth` file therefore calls
:func:`start` in every interpreter; nothing else happens until fairseq, hydra or
omegaconf is imported. Then single modules are mended right after their import, each
patch only if a test of the feature says that there is something to mend.

The package imports the standard library only, and nothing of `data2vec_plugin`:
`--user-dir CHECKOUT/data2vec_plugin` must find that name free. What the plugin wants to
be there as early is loaded by its place (`companion.py`). This file is read at every
interpreter start, so it imports what is there already.

`DATA2VEC_COMPAT=0` in the environment turns all patches off, and leaves the plugin's own.
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
    """Stands in `sys.meta_path` for the finder, which is read when first needed."""

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
    """Waits for fairseq, hydra or omegaconf; called by the `.pth` line, must be cheap."""
    _take_post(by)


def install() -> None:
    """Turns on the patches, and what the plugin has: at once for what is imported already, lazily for the rest.

    Calling it again does nothing. Needed only where `.pth` files are not read
    (`python -S`, `pip install --target`, a bare checkout).
    """
    start("import")
    if any(root in sys.modules for root in ROOTS):
        _doorman.awake().arm()


def after_import(module_name: str, callback: "Callable[[], Any]") -> None:
    """Calls `callback` as soon as `module_name` is fully imported: now, if it is.

    If the module is in the middle of its own import, the callback runs when that has
    finished. An exception of the callback fails the import that triggered it. Works
    with the patches turned off, too.
    """
    _take_post("import")
    _doorman.awake().after_import(module_name, callback)


def report() -> "list[dict[str, str]]":
    """Says for each patch which module it mends, why, and what became of it."""
    from data2vec_compat.registry import report as as_dicts

    return as_dicts()


def started_by() -> str:
    """ ".pth" or "import" (an explicit call); "" if the patches are turned off, or the finder is not active."""
    return _doorman.by if enabled() and _doorman in sys.meta_path else ""


def _take_post(by: str) -> None:
    if _doorman not in sys.meta_path:
        _doorman.by = by
        sys.meta_path.insert(0, _doorman)  # type: ignore[arg-type]
