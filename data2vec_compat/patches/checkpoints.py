"""torch ≥ 2.6 loads tensors only by default, and refuses what fairseq's files hold.

The check stays on: known classes are allowed for the time of the call, in the modules
of fairseq that read checkpoints, and nowhere else.
"""

import io
import logging
import pickle
import re
import warnings
from argparse import Namespace
from types import ModuleType
from typing import Any

from data2vec_compat.allowed import allowed_globals, harmless_globals
from data2vec_compat.proxy import ModuleProxy
from data2vec_compat.registry import patch

logger = logging.getLogger(__name__)


def _torch_refuses(torch: ModuleType) -> bool:
    """Whether `torch.load` refuses an argparse.Namespace, which fairseq has long saved."""
    buffer = io.BytesIO()
    torch.save(Namespace(), buffer)
    buffer.seek(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.load(buffer)
    except pickle.UnpicklingError:
        return True
    return False


@patch(
    "checkpoint loading",
    "fairseq.checkpoint_utils",
    "fairseq.distributed.utils",
    why="torch ≥ 2.6 loads tensors only: refuses Dictionary, Namespace, DictConfig",
)
def mend(module: ModuleType) -> bool:
    """Gives this one module a `torch.load` with an allow-list."""
    torch = module.torch
    if not _torch_refuses(torch):
        return False

    def load(f: Any, *args: Any, **kwargs: Any) -> Any:
        if len(args) > 1 or "pickle_module" in kwargs or "weights_only" in kwargs:
            return torch.load(f, *args, **kwargs)  # the caller has decided
        return load_allowed(torch, f, *args, **kwargs)

    module.torch = ModuleProxy(torch, load=load)  # type: ignore[attr-defined]
    return True


def load_allowed(torch: ModuleType, f: Any, *args: Any, **kwargs: Any) -> Any:
    """`torch.load` with the classes that a checkpoint of fairseq may hold allowed.

    torch names one refused class at a time; a harmless one (a configuration, an enum)
    is then allowed too, and the file is read again.

    Raises:
        pickle.UnpicklingError: the file holds something else, which could run code.
    """
    start = f.tell() if hasattr(f, "tell") else None
    wanted = allowed_globals()
    while True:
        try:
            with _Allow(torch, wanted):
                return torch.load(f, *args, **kwargs)
        except pickle.UnpicklingError as error:
            more = [entry for entry in harmless_globals(_refused(error)) if entry not in wanted]
            if not more:
                raise _refusal(f, error) from error
            wanted += more
            if start is not None:
                f.seek(start)


class _Allow:
    """Adds to torch's safe globals, and takes away only what it added."""

    def __init__(self, torch: ModuleType, wanted: "list[tuple[Any, str]]") -> None:
        present = torch.serialization.get_safe_globals()
        added = [entry for entry in wanted if entry not in present]
        self._scope = torch.serialization.safe_globals(added)

    def __enter__(self) -> None:
        self._scope.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._scope.__exit__(*error)


def _refused(error: Exception) -> "list[str]":
    """The name that torch refused, if it is in the message."""
    return re.findall(r"GLOBAL ([\w.]+)", str(error))[:1]


def _refusal(f: Any, error: Exception) -> pickle.UnpicklingError:
    path = getattr(f, "name", None) or "the data received"
    names = _refused(error)
    what = f"`{names[0]}`" if names else str(error).strip().splitlines()[0]
    return pickle.UnpicklingError(
        f"`{path}`: refused, because it holds {what}, which is none of the classes that "
        "a fairseq checkpoint is made of, and loading it could run code. If you trust "
        "the file, allow it with `torch.serialization.add_safe_globals([...])` in your "
        "plugin, or set TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1 for this one run."
    )
