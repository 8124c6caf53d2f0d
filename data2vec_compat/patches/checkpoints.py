"""fairseq reads checkpoints in a way that runs whatever code is in them, or is refused to by torch ≥ 2.6.

With every torch, known classes are allowed for the time of the call, in the modules of fairseq that read checkpoints,
and nowhere else.
"""

from types import ModuleType
from typing import Any

from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import patch
from data2vec_compat.safe_load import load_allowed


@patch(
    "checkpoint loading",
    "fairseq.checkpoint_utils",
    "fairseq.distributed.utils",
    why="torch ≥ 2.6 refuses Dictionary, Namespace, DictConfig; before, a checkpoint could run code",
)
def mend(module: ModuleType) -> bool:
    """Gives this one module a `torch.load` with an allow-list, also where it asks to load anything, as main does."""
    torch = module.torch

    def load(f: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 1 or "pickle_module" in kwargs:
            return torch.load(f, *args, **kwargs)  # another format
        return load_allowed(torch, f, *args, **kwargs)

    module.torch = ModuleProxy(torch, load=load)  # type: ignore[attr-defined]
    return True
