"""Turns on the patches that let stock fairseq run, from wherever they are.

Installed normally, a `.pth` line has done so already. Under `python -S`, after
`pip install --target`, or in a bare checkout, importing the plugin does it.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

NAME = "data2vec_compat"


def install() -> None:
    """Applies the patches that fairseq, hydra and omegaconf need; calling it again does nothing.

    Raises:
        ModuleNotFoundError: `data2vec_compat` is neither installed nor next to the plugin.
    """
    patches().install()


def patches() -> ModuleType:
    """The module `data2vec_compat`, installed or next to this package's folder.

    Raises:
        ModuleNotFoundError: it is in neither location.
    """
    try:
        import data2vec_compat
    except ModuleNotFoundError as error:
        if error.name != NAME:
            raise
        return _load_from_checkout()
    return data2vec_compat


def _load_from_checkout() -> ModuleType:
    # without touching sys.path: a checkout has folders of very common names
    folder = Path(__file__).resolve().parent.parent / NAME
    spec = spec_from_file_location(NAME, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None or not folder.is_dir():
        raise ModuleNotFoundError(
            f"`{NAME}` is neither installed nor in {folder.parent}: run "
            "`pip install .` in the checkout of data2vec for fairseq",
            name=NAME,
        )
    module = module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module
