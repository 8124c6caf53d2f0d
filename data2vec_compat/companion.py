"""Loads the part of `data2vec_plugin` that must be active before fairseq imports the plugin, by its path.

The plugin package itself is not imported: `--user-dir CHECKOUT/data2vec_plugin` must find the plugin's name free. The
loaded part goes into `sys.modules` under its real name, so that the plugin, once imported, finds the same modules.
"""

import logging
import os
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Callable, List, Optional

from data2vec_compat.registry import Patch, arm

logger = logging.getLogger(__name__)

PLUGIN = "data2vec_plugin"
NAME = f"{PLUGIN}.host.launching"

_active = False


def activate() -> None:
    """Activates the plugin's own patches, whatever `DATA2VEC_COMPAT` is; does nothing if called again or without the
    plugin."""
    global _active
    package = None if _active else _load()
    if package is None:
        return
    _active = True
    arm([Patch(name, module, why, _by_name(place)) for name, module, why, place in package.FEATURES])


def _load() -> Optional[ModuleType]:
    """The subpackage, without its parent packages; None if it is not installed."""
    folder = None if NAME in sys.modules else _folder()
    if folder is None:
        return sys.modules.get(NAME)
    spec = spec_from_file_location(NAME, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    if spec is None or spec.loader is None:
        return None
    module = sys.modules[NAME] = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a broken installation must not break programs that do not need the plugin
        del sys.modules[NAME]
        logger.warning(f"could not load {NAME} from {folder}: {type(error).__name__}: {error}")
        return None
    return module


def _folder() -> Optional[str]:
    for place in _places():
        folder = os.path.join(place, *NAME.split(".")[1:])
        if os.path.isfile(os.path.join(folder, "__init__.py")):
            return folder
    return None


def _places() -> List[str]:
    """Folders where the plugin is, or from which it would be imported."""
    plugin = sys.modules.get(PLUGIN)
    if plugin is not None:
        return list(getattr(plugin, "__path__", []))
    try:
        spec = find_spec(PLUGIN)
    except (ImportError, ValueError):
        return []
    return list(spec.submodule_search_locations or []) if spec is not None else []


def _by_name(place: str) -> Callable[[ModuleType], bool]:
    """The function named by `place`, as `module:function`; its module is imported when it is first called."""

    def apply(module: ModuleType) -> bool:
        name, _, function = place.partition(":")
        return bool(getattr(import_module(f"{NAME}.{name}"), function)(module))

    return apply
