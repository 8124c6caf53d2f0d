"""NumPy 1.24 removed `np.int` and `np.float`, NumPy 2 `np.compat`; fairseq uses them.

`numpy.random.Generator` has never had `randint`; fairseq's main branch calls it for its span masks.
"""

import inspect
from types import ModuleType, SimpleNamespace
from typing import Any, Callable, Dict

from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import patch

_REMOVED: Dict[str, Any] = {
    "int": int,
    "float": float,
    "compat": SimpleNamespace(long=int),
}


@patch(
    "NumPy aliases",
    "fairseq.data.data_utils",
    "fairseq.data.language_pair_dataset",
    "fairseq.data.token_block_dataset",
    "fairseq.modules.dynamic_crf_layer",
    why="NumPy ≥ 1.24 has no np.int and np.float, NumPy ≥ 2 no np.compat, its generators no randint",
)
def fix(module: ModuleType) -> bool:
    """Gives this one module a NumPy that still has the names; NumPy itself is unchanged."""
    numpy = module.np
    missing = {name: found for name, found in _REMOVED.items() if not _has(numpy, name)}
    if _asks_generators_for_randint(module):
        missing["random"] = ModuleProxy(numpy.random, default_rng=_default_rng(numpy))
    if not missing:
        return False
    module.np = ModuleProxy(numpy, **missing)  # type: ignore[attr-defined]
    return True


def _has(numpy: ModuleType, name: str) -> bool:
    # for some removed names NumPy 1 warns, and NumPy 2 raises
    return name in vars(numpy)


def _asks_generators_for_randint(module: ModuleType) -> bool:
    source = inspect.getsource(module) if hasattr(module, "__file__") else ""
    return "default_rng(" in source and "rng.randint(" in source


def _default_rng(numpy: ModuleType) -> Callable[[Any], Any]:
    class Generator(numpy.random.Generator):  # type: ignore[misc,name-defined]
        """NumPy's generator, with `randint` as another name of `integers`."""

        randint = numpy.random.Generator.integers

    def default_rng(seed: Any = None) -> Any:
        return Generator(numpy.random.default_rng(seed).bit_generator)

    return default_rng
