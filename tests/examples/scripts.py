"""An example's scripts as modules: each folder has a run.py of its own."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@contextmanager
def scripts(folder: str, *names: str) -> Iterator[SimpleNamespace]:
    """The scripts of an example by name; what they are called is free again afterwards."""
    path = str(EXAMPLES / folder)
    before = {name: sys.modules.pop(name, None) for name in names}
    sys.path.insert(0, path)
    try:
        yield SimpleNamespace(**{name: import_module(name) for name in names})
    finally:
        sys.path.remove(path)
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
