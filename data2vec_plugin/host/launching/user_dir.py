"""Supports `--user-dir` by package name, and a second copy of the plugin.

Stock fairseq takes a folder only, and raises "not globally unique" if the package is loaded from another path, which
happens with both a checkout and an installation.
"""

import functools
import logging
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, List, Optional

from .ours import PLUGIN

logger = logging.getLogger(__name__)


def take_package_names(module: ModuleType) -> bool:
    """Wraps `import_user_module` to accept package names; other folders go to fairseq's own code."""
    stock = module.import_user_module
    if getattr(stock, "takes_package_names", False):
        return False

    @functools.wraps(stock)
    def import_user_module(args: Any) -> Any:
        user_dir = getattr(args, "user_dir", None)
        name = None if user_dir is None else _package_to_import(str(user_dir))
        if name is None:
            return stock(args)
        return _import_with_registries(name)

    import_user_module.takes_package_names = True  # type: ignore[attr-defined]
    module.import_user_module = import_user_module  # type: ignore[attr-defined]
    return True


def _package_to_import(user_dir: str) -> Optional[str]:
    """The package that `user_dir` means, or None if it is fairseq's to handle."""
    folder = os.path.abspath(user_dir)
    if os.path.isdir(folder):
        return _loaded_plugin(folder)
    if not all(part.isidentifier() for part in user_dir.split(".")):
        return None
    try:
        spec = find_spec(user_dir)
    except (ImportError, ValueError):
        return None
    return user_dir if spec is not None and spec.submodule_search_locations else None


def _loaded_plugin(folder: str) -> Optional[str]:
    """Return our plugin's name if `folder` is a copy of it and one is already loaded, else None."""
    name = os.path.basename(folder)
    loaded = sys.modules.get(name)
    if name != PLUGIN or loaded is None:
        return None
    places = _folders(loaded)
    if os.path.realpath(folder) not in [os.path.realpath(place) for place in places]:
        logger.info("user_dir=%s: %s is already loaded from %s, which is used", folder, name, places[0])
    return name


def _folders(package: ModuleType) -> List[str]:
    return list(getattr(package, "__path__", []))


def _import_with_registries(name: str) -> None:
    """Imports a package and, as fairseq does, every module of its tasks/ and models/."""
    from fairseq.models import import_models
    from fairseq.tasks import import_tasks

    package = import_module(name)
    for folder in _folders(package):
        for child, import_all in (("tasks", import_tasks), ("models", import_models)):
            if os.path.isdir(os.path.join(folder, child)):
                import_all(os.path.join(folder, child), f"{name}.{child}")
