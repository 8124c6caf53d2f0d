"""NumPy 1.24 removed `np.int` and `np.float`, NumPy 2 `np.compat`; fairseq uses them."""

from types import ModuleType, SimpleNamespace
from typing import Any, Dict

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
    why="NumPy ≥ 1.24 has no np.int and np.float, NumPy ≥ 2 no np.compat",
)
def mend(module: ModuleType) -> bool:
    """Gives this one module a NumPy that still has the names; NumPy itself stays."""
    numpy = module.np
    missing = {name: found for name, found in _REMOVED.items() if not _has(numpy, name)}
    if not missing:
        return False
    module.np = ModuleProxy(numpy, **missing)  # type: ignore[attr-defined]
    return True


def _has(numpy: ModuleType, name: str) -> bool:
    # NumPy 1 answers for some removed names with a warning, NumPy 2 with an error
    return name in vars(numpy)
